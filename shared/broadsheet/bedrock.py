"""One question to one model of Amazon Bedrock (Converse), asked once: no answer is waited for long, none is paid twice.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from typing import Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectTimeoutError, EndpointConnectionError
from botocore.parsers import ResponseParserError

from broadsheet.errors import BroadsheetError
from broadsheet.words import OUTPUT, Prompt

SECONDS = 8.0  # for an answer: a post waits for it
# What Bedrock answers before a model has worked; after anything else somebody may have to pay.
_UNCHARGED = {
    "AccessDeniedException",
    "ModelNotReadyException",
    "ResourceNotFoundException",
    "ServiceUnavailableException",
    "ThrottlingException",
    "UnrecognizedClientException",
    "ValidationException",
}
_REFUSED = {"content_filtered", "guardrail_intervened"}


class ModelError(BroadsheetError):
    """A model gave no answer; `subject` is its ARN. `charged`: its work may have to be paid all the same."""

    def __init__(self, model: str, reason: str, detail: str = "", *, charged: bool) -> None:
        super().__init__(model, reason, detail)
        self.charged = charged


class Reply(msgspec.Struct, frozen=True):
    """What a model said, and the tokens it took, asked and answered. `refused`: it won't, whoever asks again."""

    text: str
    tokens: int
    refused: bool = False


def client() -> Any:
    """The client of the function's own region. It asks once: the SDK's second try would be paid like the first."""
    once = Config(retries={"total_max_attempts": 1}, connect_timeout=3, read_timeout=SECONDS)
    return boto3.client("bedrock-runtime", config=once)


def ask(bedrock: Any, model: str, prompt: Prompt) -> Reply:
    """A model's reply; raises ModelError."""
    try:
        answer = bedrock.converse(
            modelId=model,
            system=[{"text": prompt.system}],
            messages=[{"role": "user", "content": [{"text": prompt.text}]}],
            inferenceConfig={"maxTokens": OUTPUT, "temperature": 0.0},
        )
        return _reply(answer)
    except ClientError as error:
        said = error.response.get("Error", {})
        code, words = said.get("Code", "unknown"), said.get("Message", "")
        raise ModelError(model, code, words, charged=code not in _UNCHARGED) from error
    except BotoCoreError as error:
        unsent = isinstance(error, ConnectTimeoutError | EndpointConnectionError)
        raise ModelError(model, type(error).__name__, charged=not unsent) from error
    except (ResponseParserError, KeyError, TypeError) as error:
        raise ModelError(model, "unexpected-answer", repr(error), charged=True) from error


def _reply(answer: Any) -> Reply:
    usage = answer["usage"]
    tokens = int(usage["inputTokens"]) + int(usage["outputTokens"])
    parts = answer["output"]["message"]["content"]
    return Reply("".join(part.get("text", "") for part in parts), tokens, answer["stopReason"] in _REFUSED)
