"""DynamoDB without the wire, for speed alone: moto is asked with the parameters as botocore has checked them.

A call that nothing befalls would be written out, signed, sent to moto, read there, and its answer written out and read
again: four fifths of a run. What moto refuses, and what is to go wrong on the wire, takes the long way.
"""

from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.model import OperationModel
from moto.core.exceptions import ServiceException
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.utils import camelcase_to_underscores
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

ON_THE_WIRE = ("kill-after", "timeout", "lost")


def ask(model: OperationModel, params: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
    """What `before-call` takes for an answer; None where there is none to be had in this way."""
    handler = DynamoHandler()
    handler.region, handler.current_account = "us-east-1", DEFAULT_ACCOUNT_ID
    handler.body = handler.params = _copied(params)
    try:
        result: Any = getattr(handler, camelcase_to_underscores(model.name))().result
    except (HTTPException, ServiceException):
        return None
    shape = model.output_shape
    answer = {name: value for name, value in result.items() if shape and name in shape.members and value is not None}
    return _OK, {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


_OK = AWSResponse("https://dynamodb.us-east-1.amazonaws.com/", 200, HTTPHeaders(), None)


def _copied(value: Any) -> Any:
    """A copy: moto keeps what it is given."""
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copied(one) for one in value]
    return value
