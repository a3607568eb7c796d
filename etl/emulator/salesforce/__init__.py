"""A Salesforce org on loopback, made from the vendor's documentation; it imports nothing from the product."""

from etl.emulator.salesforce.app import SalesforceApp
from etl.emulator.salesforce.org import SalesforceOrg
from etl.emulator.salesforce.refusal import Refusal

__all__ = ["Refusal", "SalesforceApp", "SalesforceOrg"]
