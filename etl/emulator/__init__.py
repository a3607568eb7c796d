"""Both vendors on loopback, for demo, tests, benchmarks and trials by hand; imports nothing from the product.

The door is `etl.emulator.world.Emulators`.
"""
