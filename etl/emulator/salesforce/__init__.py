"""A Salesforce org on loopback, made from the vendor's documentation; it imports nothing from the product."""
