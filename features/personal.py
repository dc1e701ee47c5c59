"""Which fields say who somebody is or how to reach them: no model reads their texts, and no report or log line shows them."""

import re

from features.fold import fold

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
PERSONAL = frozenset(
    {
        "name", "first_name", "firstname", "middle_name", "last_name", "lastname", "full_name", "fullname", "given_name", "family_name", "surname",
        "contact", "contact_name", "contactname", "mobile", "mobile_phone", "mobilephone", "home_phone", "other_phone", "address", "street",
        "linkedin",
    }
)  # fmt: skip
"""Fields, as `plain_name` writes them, of which nothing is ever used."""
STAFF = frozenset(
    {
        "owner", "owner_id", "ownerid", "hubspot_owner_id", "lead_owner", "owner_name", "account_owner", "assigned_to", "sales_rep",
        "sales_representative", "salesperson", "account_executive", "account_manager", "created_by", "created_by_id", "modified_by",
        "last_modified_by", "last_modified_by_id",
    }
)  # fmt: skip
"""Who works the lead, not what it is: names of people, and leads are dealt out by what somebody thinks of them."""
EMAILS = ("email", "e_mail", "mail", "email_address", "e_mail_address")
PHONES = ("phone", "phone_number", "telephone")
_TOLD = PERSONAL.union(STAFF, EMAILS, PHONES)


def plain_name(field: str) -> str:
    """`Job Title`, `job-title`, `JobTitle` and `job_title` are one name."""
    return fold(_CAMEL.sub("_", field)).strip().replace(" ", "_").replace("-", "_")


def is_personal(field: str) -> bool:
    """Whether what stands in a field of this name must not be shown in a report."""
    return plain_name(field) in _TOLD
