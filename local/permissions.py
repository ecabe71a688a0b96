"""What a function may do: its role's policies, asked before every call it makes to AWS, since moto asks nobody.

Only identity policies are read, and conditions are taken to hold, but those on DynamoDB's partition keys. A call whose
resource isn't known here counts as one on a resource that no exact policy names: it is refused, and this table grows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from broadsheet.errors import BroadsheetError

PREFIXES = {"bedrock-runtime": "bedrock", "dynamodbstreams": "dynamodb", "sesv2": "ses"}
ACTIONS = {  # where the action isn't called like the operation
    "bedrock:Converse": "bedrock:InvokeModel",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}


class DeniedError(BroadsheetError):
    """A role lacks what its function, or its function's event source, needs; AWS would refuse."""


def allowed(statements: Sequence[Mapping[str, Any]], action: str, resource: str, keys: Sequence[str] = ()) -> bool:
    """Tell whether the policies allow an action such as `sqs:SendMessage` on a resource's ARN.

    `keys` are the partition keys that a call to DynamoDB names, as far as a statement cares about them.
    """
    effects = {
        statement["Effect"]
        for statement in statements
        if any(_like(pattern, action, re.IGNORECASE) for pattern in _list(statement.get("Action", [])))
        and any(_like(pattern, resource) for pattern in _list(statement.get("Resource", [])))
        and all(any(_like(pattern, key) for pattern in _leading_keys(statement)) for key in keys)
    }
    return effects == {"Allow"}


def partition_keys(params: Mapping[str, Any], name: str) -> list[str]:
    """The values of a table's partition key that a call to DynamoDB names, where they are strings."""
    items = [params[part] for part in ("Key", "Item") if part in params]
    for asked in params.get("RequestItems", {}).values():
        items += asked["Keys"] if isinstance(asked, dict) and "Keys" in asked else []
    return [item[name]["S"] for item in items if name in item]


def required(service: str, operation: str, params: Mapping[str, Any], *, region: str, account: str) -> Iterator[Any]:
    """Yield the action and ARN of everything that a call needs, such as each table of a BatchGetItem."""
    prefix = PREFIXES.get(service, service)
    action = ACTIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")

    def arn(resource: str) -> str:
        return f"arn:aws:{prefix}:{region}:{account}:{resource}"

    match prefix:
        case "sqs" if "QueueUrl" in params:
            yield action, arn(params["QueueUrl"].rsplit("/", 1)[1])
        case "s3" if "Bucket" in params:
            key = "" if action == "s3:ListBucket" else f"/{params.get('Key', '')}"
            yield action, f"arn:aws:s3:::{params['Bucket']}{key}"
        case "ssm" if "Name" in params:
            yield action, arn(f"parameter/{params['Name'].lstrip('/')}")
        case "secretsmanager" if "SecretId" in params:
            yield action, arn(f"secret:{params['SecretId']}")
        case "bedrock" if "modelId" in params:
            yield action, params["modelId"]
        case "sns" if "TopicArn" in params:
            yield action, params["TopicArn"]
        case "ses" if "FromEmailAddress" in params:  # where the address itself is the verified identity
            yield action, arn(f"identity/{params['FromEmailAddress']}")
        case "dynamodb" if "RequestItems" in params:
            for table in params["RequestItems"]:
                yield action, arn(f"table/{table}")
        case "dynamodb" if "TransactItems" in params:
            for ((kind, part),) in (item.items() for item in params["TransactItems"]):
                yield (
                    f"dynamodb:{'ConditionCheckItem' if kind == 'ConditionCheck' else f'{kind}Item'}",
                    arn(f"table/{part['TableName']}"),
                )
        case "dynamodb" if "TableName" in params:
            index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
            yield action, arn(f"table/{params['TableName']}{index}")
        case _:
            yield action, f"unknown:{prefix}"


def _leading_keys(statement: Mapping[str, Any]) -> list[str]:
    condition = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
    return _list(condition.get("dynamodb:LeadingKeys", "*"))


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _like(pattern: str, text: str, flags: int = 0) -> bool:
    """IAM's wildcards: `*` is any text, `?` one character."""
    wild = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, text, flags | re.DOTALL) is not None
