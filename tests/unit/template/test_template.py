"""What must hold of the stack, read off the template as SAM translates it."""

import ast
import json
import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
import yaml

from broadsheet import discover, parse, posting, publish, settings
from local.embedded import TEMPLATE
from local.stack import translate

ROOT = TEMPLATE.parent
Resources = dict[str, dict[str, Any]]

SETTINGS: dict[str, type[settings.Settings]] = {
    "DiscoverFunction": settings.DiscoverSettings,
    "CallbackFunction": settings.CallbackSettings,
    "ParseFunction": settings.ParseSettings,
    "NotifyFunction": settings.NotifySettings,
    "PublishFunction": settings.PublishSettings,
}
PLATFORM = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL", "AWS_ENDPOINT_URL"}
FORTNIGHT = 14 * 86400
HOLDING_DATA = {"AWS::S3::Bucket", "AWS::DynamoDB::Table"}


def of(resources: Resources, kind: str) -> Resources:
    found = {key: resource for key, resource in resources.items() if resource["Type"] == kind}
    assert found, kind
    return found


def properties(resources: Resources, kind: str) -> dict[str, dict[str, Any]]:
    return {key: resource["Properties"] for key, resource in of(resources, kind).items()}


def target(reference: Any) -> str:
    """The logical id that a Ref or GetAtt leads to."""
    return str(reference["Ref"] if "Ref" in reference else reference["Fn::GetAtt"][0])


def mappings(resources: Resources, service: str) -> list[dict[str, Any]]:
    kind = {"sqs": "AWS::SQS::Queue", "dynamodb": "AWS::DynamoDB::Table"}[service]
    found = properties(resources, "AWS::Lambda::EventSourceMapping").values()
    return [m for m in found if resources[target(m["EventSourceArn"])]["Type"] == kind]


# ---- queues ------------------------------------------------------------------------------------------------------


def test_a_message_stays_invisible_for_six_runs_and_the_window(resources: Resources) -> None:
    for mapping in mappings(resources, "sqs"):
        queue = resources[target(mapping["EventSourceArn"])]["Properties"]
        timeout = resources[target(mapping["FunctionName"])]["Properties"]["Timeout"]
        assert queue["VisibilityTimeout"] >= 6 * timeout + mapping["MaximumBatchingWindowInSeconds"]


def test_what_crashes_again_and_again_ends_in_a_dead_letter_queue_that_keeps_it(resources: Resources) -> None:
    (mapping,) = (m for m in mappings(resources, "sqs") if target(m["EventSourceArn"]) == "ParseQueue")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    redrive = resources["ParseQueue"]["Properties"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == 5
    assert resources[target(redrive["deadLetterTargetArn"])]["Type"] == "AWS::SQS::Queue"
    for key, queue in properties(resources, "AWS::SQS::Queue").items():
        assert queue["MessageRetentionPeriod"] == (300 if key == "PollsQueue" else FORTNIGHT)
        assert queue["SqsManagedSseEnabled"] is True
        assert "FifoQueue" not in queue  # neither OnFailure nor a fair queue takes one


def test_a_function_that_feeds_its_own_queue_may(resources: Resources) -> None:
    """Round after round parse may; a share that discover is given leads to no further ones, or Lambda stops it."""
    assert resources["ParseFunction"]["Properties"]["RecursiveLoop"] == "Allow"
    assert "RecursiveLoop" not in resources["DiscoverFunction"]["Properties"]


def test_a_share_of_polls_is_forgotten_when_the_next_run_sends_it_again(resources: Resources) -> None:
    (poll,) = (s for s in properties(resources, "AWS::Scheduler::Schedule").values() if "poll" in s["Target"]["Input"])
    assert translate(TEMPLATE, {}, "us-east-1")["Parameters"]["PollSchedule"]["Default"] == "rate(5 minutes)"
    assert poll["ScheduleExpression"] == {"Ref": "PollSchedule"}
    assert resources["PollsQueue"]["Properties"]["MessageRetentionPeriod"] <= 5 * 60


def test_a_stream_batch_is_given_up_in_time_and_reported(resources: Resources) -> None:
    (mapping,) = mappings(resources, "dynamodb")
    assert mapping["BisectBatchOnFunctionError"] is True
    assert 0 < mapping["MaximumRetryAttempts"] <= 10
    assert 0 < mapping["MaximumRecordAgeInSeconds"] < 86400  # the stream itself forgets after a day
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_scheduled_run_that_fails_is_reported_whether_lambda_or_the_scheduler_failed(resources: Resources) -> None:
    invoked = {
        target(p["FunctionName"]): p["DestinationConfig"]["OnFailure"]["Destination"]
        for p in properties(resources, "AWS::Lambda::EventInvokeConfig").values()
    }
    for schedule in properties(resources, "AWS::Scheduler::Schedule").values():
        function = target(schedule["Target"]["Arn"])
        assert target(invoked[function]) == "FailuresQueue"
        assert target(schedule["Target"]["DeadLetterConfig"]["Arn"]) == "FailuresQueue"


# ---- what holds data ---------------------------------------------------------------------------------------------


def test_what_holds_data_outlives_the_stack_but_not_a_creation_that_failed(resources: Resources) -> None:
    holding = {key for key, resource in resources.items() if resource["Type"] in HOLDING_DATA}
    for key in holding | {"BucketPolicy"}:
        assert resources[key]["DeletionPolicy"] == "RetainExceptOnCreate"
        assert resources[key]["UpdateReplacePolicy"] == "Retain"


def test_tables_cost_nothing_idle_and_can_be_taken_back_to_any_second(resources: Resources) -> None:
    tables = properties(resources, "AWS::DynamoDB::Table")
    for table in tables.values():
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert [key for key, table in tables.items() if "TimeToLiveSpecification" in table] == ["StateTable"]


def test_the_bucket_is_private_encrypted_versioned_and_forgets_old_versions(resources: Resources) -> None:
    bucket = resources["Bucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["BucketEncryption"]
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert any("NoncurrentVersionExpiration" in rule for rule in bucket["LifecycleConfiguration"]["Rules"])


@pytest.mark.parametrize("policy", ["BucketPolicy", "QueuesPolicy", "AlarmTopicPolicy"])
def test_nothing_is_served_without_tls(resources: Resources, policy: str) -> None:
    statements = resources[policy]["Properties"]["PolicyDocument"]["Statement"]
    denied = [s for s in statements if s["Effect"] == "Deny" and s["Principal"] == "*"]
    assert [s["Condition"] for s in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]
    if policy == "QueuesPolicy":
        queues = {target(queue) for queue in resources[policy]["Properties"]["Queues"]}
        assert queues == set(of(resources, "AWS::SQS::Queue"))


# ---- functions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", SETTINGS)
def test_each_variable_a_function_reads_is_set_and_each_one_set_is_read(resources: Resources, function: str) -> None:
    variables = set(resources[function]["Properties"]["Environment"]["Variables"])
    read = {field.encode_name.upper() for field in msgspec.structs.fields(SETTINGS[function])}
    assert variables - PLATFORM == read
    assert variables >= PLATFORM


def test_every_function_is_known_here(resources: Resources) -> None:
    assert set(of(resources, "AWS::Lambda::Function")) == set(SETTINGS)


def test_each_function_logs_json_to_a_group_of_its_own_that_forgets(resources: Resources) -> None:
    groups = {
        key: target(p["LoggingConfig"]["LogGroup"]) for key, p in properties(resources, "AWS::Lambda::Function").items()
    }
    assert len(set(groups.values())) == len(groups)
    for function, group in groups.items():
        assert resources[function]["Properties"]["LoggingConfig"]["LogFormat"] == "JSON"
        assert resources[group]["Properties"]["RetentionInDays"]


@pytest.mark.parametrize("function", sorted(set(SETTINGS) - {"CallbackFunction"}))  # which takes no host's turn
def test_a_lease_outlasts_the_longest_run(resources: Resources, function: str) -> None:
    tree = ast.parse(app(function).read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "LEASE"
    }
    assert constants["LEASE"] > resources[function]["Properties"]["Timeout"]
    if function == "DiscoverFunction":
        assert constants["LEASE"] > 300, "the next scheduled run leaves out the hosts at which one has died"


@pytest.mark.parametrize(("architecture", "layer"), [("arm64", "Arm64Layer"), ("x86_64", "X86Layer")])
def test_each_architecture_gets_the_layer_built_for_it(architecture: str, layer: str) -> None:
    translated = translate(TEMPLATE, {"Architecture": architecture}, "us-east-1")
    found = {key: r for key, r in translated["Resources"].items() if r["Type"] == "AWS::Lambda::LayerVersion"}
    wanted = next(key for key in found if key.startswith(layer))
    assert found[wanted]["Properties"]["CompatibleArchitectures"] == [architecture]
    for function in properties(translated["Resources"], "AWS::Lambda::Function").values():
        on_arm, otherwise = function["Layers"][0]["Fn::If"][1:]
        assert target(on_arm if architecture == "arm64" else otherwise) == wanted
        assert function["Runtime"] == "python3.13"
    makefile = (ROOT / "shared" / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^build-{layer}: PROCESSOR", makefile, re.MULTILINE)


def test_nothing_is_open_to_the_public_unless_it_is_asked_for(resources: Resources) -> None:
    """Of what hubs may call nothing exists by default; what there is then may be called through its URL alone."""
    translated = translate(TEMPLATE, {}, "us-east-1")
    assert translated["Parameters"]["WebSub"]["Default"] == "off"
    public = {key: r for key, r in resources.items() if '"Principal": "*"' in json.dumps(r) and "Deny" not in str(r)}
    assert {resource["Condition"] for resource in public.values()} == {"HasWebSub"}
    assert {r["Type"] for r in public.values()} == {"AWS::Lambda::Permission"}
    for permission in public.values():
        written = permission["Properties"]
        assert written["Action"] == "lambda:InvokeFunctionUrl" or written["InvokedViaFunctionUrl"] is True
    of_callback = {r.get("Condition") for key, r in resources.items() if key.startswith("Callback")}
    assert of_callback == {"HasWebSub"}


def app(function: str) -> Path:
    return ROOT / "functions" / function.removesuffix("Function").lower() / "app.py"


# ---- alarms ------------------------------------------------------------------------------------------------------


def test_each_alarm_tells_the_topic_and_all_of_them_are_free(resources: Resources) -> None:
    alarms = properties(resources, "AWS::CloudWatch::Alarm")
    assert len(alarms) <= 10  # CloudWatch charges from the eleventh
    for alarm in alarms.values():
        assert [target(action) for action in alarm["AlarmActions"]] == ["AlarmTopic"]
        assert alarm["AlarmDescription"]


def test_alarms_watch_each_queue_and_function(resources: Resources) -> None:
    watched: dict[str, set[str]] = {}
    for alarm in properties(resources, "AWS::CloudWatch::Alarm").values():
        value = alarm["Dimensions"][0]["Value"]
        name = value if isinstance(value, str) else target(value)
        watched.setdefault(alarm["MetricName"], set()).add(name)
    assert watched == {
        "ApproximateNumberOfMessagesVisible": {"DeadLetterQueue", "FailuresQueue"},
        "ApproximateAgeOfOldestMessage": {"ParseQueue"},
        "IteratorAge": {"NotifyFunction"},
        # each failed run of publish lies in the failures queue; what callback misses, a poll finds
        "Errors": set(SETTINGS) - {"PublishFunction", "CallbackFunction"},
        "Stored": {"parse"},
        "SourcesInTrouble": {"discover"},
        "ChannelClosed": {"notify"},
    }


def test_the_metric_that_no_article_was_stored_is_read_from_is_one_that_parse_writes(resources: Resources) -> None:
    alarm = resources["NoArticlesAlarm"]["Properties"]
    variables = resources["ParseFunction"]["Properties"]["Environment"]["Variables"]
    assert alarm["MetricName"].lower() in get_args(parse.Status)
    assert alarm["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]


def test_the_metric_that_sources_in_trouble_are_read_from_is_one_that_discover_writes(resources: Resources) -> None:
    alarm = resources["SourcesInTroubleAlarm"]["Properties"]
    variables = resources["DiscoverFunction"]["Properties"]["Environment"]["Variables"]
    assert f'name="{alarm["MetricName"]}"' in app("DiscoverFunction").read_text(encoding="utf-8")
    assert alarm["Namespace"] == variables["POWERTOOLS_METRICS_NAMESPACE"]
    assert alarm["Dimensions"] == [{"Name": "service", "Value": variables["POWERTOOLS_SERVICE_NAME"]}]


# ---- many stacks, many places ------------------------------------------------------------------------------------


def test_two_stacks_in_one_account_do_not_collide(resources: Resources) -> None:
    naming = re.compile(r"^(Name|\w*(Bucket|Table|Queue|Function|Role|Topic|Alarm|LogGroup|Layer)Name)$")
    for key, resource in resources.items():
        if resource["Type"].removeprefix("AWS::Lambda::") in ("EventSourceMapping", "EventInvokeConfig", "Permission"):
            continue  # theirs are references
        named = {p: v for p, v in resource.get("Properties", {}).items() if naming.match(p)}
        assert all(p == "LayerName" for p in named), (key, named)  # SAM's; versions of one name don't collide


def test_no_arn_assumes_a_partition() -> None:
    assert "arn:aws" not in TEMPLATE.read_text(encoding="utf-8")


def test_every_parameter_and_output_says_what_it_is() -> None:
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short forms as nothing: only the sections' own words are looked at."""

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader=Loader)  # a SafeLoader all the same
    for section in ("Parameters", "Outputs"):
        assert [name for name, entry in template[section].items() if not entry.get("Description")] == []
    assert [name for name, entry in template["Parameters"].items() if "Default" not in entry] == []


def test_jobs_are_those_whose_outcomes_become_metrics() -> None:
    kinds = {*get_args(discover.Status), *get_args(parse.Status), *get_args(posting.Status), *get_args(publish.Status)}
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", kind) for kind in kinds)


def test_models_are_granted_one_by_one_where_a_parameter_names_them() -> None:
    """`bedrock:InvokeModel` on just those, and nothing at all without any."""
    template = translate(TEMPLATE, {}, "us-east-1")
    role = template["Resources"]["NotifyRole"]["Properties"]["Policies"]
    (granted,) = [
        written["Fn::If"]
        for policy in role
        for written in policy["PolicyDocument"]["Statement"]
        if "Fn::If" in written and written["Fn::If"][0] == "HasModels"
    ]
    assert granted == [
        "HasModels",
        {
            "Sid": "AskModels",
            "Effect": "Allow",
            "Action": "bedrock:InvokeModel",
            "Resource": {"Fn::Split": [",", {"Ref": "ModelArns"}]},
        },
        {"Ref": "AWS::NoValue"},
    ]
    assert template["Conditions"]["HasModels"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "ModelArns"}, ""]}]}
    assert template["Parameters"]["ModelArns"]["Default"] == ""
    pattern = re.compile(template["Parameters"]["ModelArns"]["AllowedPattern"])
    model = "arn:aws:bedrock:us-east-1::foundation-model/name-v1:0"
    assert pattern.match(model)
    assert pattern.match(f"{model},{model}")
    assert not any(
        pattern.match(wrong) for wrong in ("*", "arn:aws:bedrock:*", f"{model}, {model}", f"{model},", "name")
    )
