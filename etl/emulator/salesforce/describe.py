"""Describe results, made from the schema (REST guide, "sObject Describe"); it decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from etl.emulator.salesforce.org import SalesforceOrg
    from etl.emulator.salesforce.schema import Field, ObjectType

_SOAP = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "double": "xsd:double",
    "boolean": "xsd:boolean",
    "datetime": "xsd:dateTime",
    "date": "xsd:date",
}


def brief(kind: ObjectType, base: str) -> dict[str, Any]:
    """An object as the global describe lists it."""
    root = f"{base}/sobjects/{kind.name}"
    rights = {"createable": kind.createable, "updateable": kind.updateable, "deletable": kind.deletable}
    return {
        "name": kind.name,
        "label": kind.label,
        "labelPlural": f"{kind.label}s",
        "keyPrefix": kind.prefix,
        "custom": kind.custom,
        **rights,
        "queryable": kind.queryable,
        "retrieveable": True,
        "searchable": True,
        "undeletable": kind.deletable,
        "mergeable": kind.name in ("Account", "Contact"),
        "layoutable": True,
        "replicateable": True,
        "triggerable": True,
        "activateable": False,
        "customSetting": False,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isSubtype": False,
        "mruEnabled": kind.name in ("Account", "Contact"),
        "urls": {"sobject": root, "describe": f"{root}/describe", "rowTemplate": f"{root}/{{ID}}"},
    }


def full(org: SalesforceOrg, kind: ObjectType, base: str) -> dict[str, Any]:
    """An object with its fields and children."""
    children: list[dict[str, Any]] = [
        {
            "childSObject": table.kind.name,
            "field": one.name,
            "relationshipName": None,
            "cascadeDelete": one.master_detail,
            "restrictedDelete": one.on_delete == "Restrict",
            "deprecatedAndHidden": False,
            "junctionIdListNames": [],
            "junctionReferenceTo": [],
        }
        for table, one in org.referring(kind.name)
    ]
    return {
        **brief(kind, base),
        "fields": [_field(org, kind, one) for one in kind.fields.values()],
        "childRelationships": children,
        "recordTypeInfos": [],
        "actionOverrides": [],
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "supportedScopes": [{"label": f"All {kind.label}s", "name": "everything"}],
    }


def _field(org: SalesforceOrg, kind: ObjectType, one: Field) -> dict[str, Any]:
    closed = f"{kind.name}.{one.name}" in org.read_only_fields
    text = one.type in ("string", "email", "picklist", "id", "reference")
    return {
        "name": one.name,
        "label": one.label,
        "type": one.type,
        "soapType": _SOAP.get(one.type, "xsd:string"),
        "length": one.length,
        "byteLength": one.length * (1 if one.type in ("id", "reference") else 3),
        "precision": one.precision,
        "scale": one.scale,
        "digits": 0,
        "nillable": one.nillable,
        "defaultedOnCreate": one.default is not None or bool(one.auto_number) or not one.createable,
        "defaultValue": one.default if isinstance(one.default, bool) else None,
        "createable": one.createable and not closed,
        "updateable": one.updateable and not closed,
        "unique": one.unique,
        "externalId": one.external_id,
        "idLookup": one.id_lookup or one.type == "id",
        "caseSensitive": one.case_sensitive,
        "nameField": one.name_field,
        "autoNumber": bool(one.auto_number),
        "calculated": one.calculated,
        "custom": one.custom,
        **_reference(one),
        "restrictedPicklist": one.restricted,
        "picklistValues": [
            {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
            for value in one.picklist
        ],
        "dependentPicklist": False,
        "filterable": True,
        "sortable": True,
        "groupable": text and one.type != "id",
        "aggregatable": True,
        "permissionable": one.nillable and not one.master_detail,
        "deprecatedAndHidden": False,
        "encrypted": False,
        "htmlFormatted": False,
        **dict.fromkeys(_EMPTY),
    }


_EMPTY = (
    "calculatedFormula",
    "compoundFieldName",
    "controllerName",
    "defaultValueFormula",
    "extraTypeInfo",
    "filteredLookupInfo",
    "inlineHelpText",
    "mask",
    "maskType",
    "referenceTargetField",
)


def _reference(one: Field) -> dict[str, Any]:
    return {
        "referenceTo": list(one.reference_to),
        "relationshipName": one.relationship or None,
        "relationshipOrder": 0 if one.master_detail else None,
        "cascadeDelete": one.master_detail,
        "restrictedDelete": one.on_delete == "Restrict",
        "writeRequiresMasterRead": False,
        "polymorphicForeignKey": len(one.reference_to) > 1,
        "namePointing": len(one.reference_to) > 1,
    }
