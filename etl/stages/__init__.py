"""The steps of a run that touch the world, each one short: they fetch, ask and write, and decide nothing themselves."""
