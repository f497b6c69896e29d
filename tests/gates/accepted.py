"""What the gates let pass, each with its reason. A reason that no longer applies is a finding itself."""

from __future__ import annotations

CHECKOV = {
    "CKV_AWS_116": "dead letters are for asynchronous calls; abandon and unpack have such, and theirs are an "
    "EventInvokeConfig destination, which the check does not know",
    "CKV_AWS_115": "reserved concurrency takes from the whole account's; it is a parameter for fetch, and by "
    "default nobody's",
}
"""By check."""

STATELINT = {
    r'^Field "InputType" not allowed in .*\.ItemReader\.ReaderConfig$': (
        "AWS requires it, statelint 3.1.0 does not know it: "
        "docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html"
    ),
}
"""By what statelint says."""

NAMELESS = {
    "xray:PutTraceSegments": "X-Ray's write actions know no resource",
    "xray:PutTelemetryRecords": "X-Ray's write actions know no resource",
    "xray:GetSamplingRules": "X-Ray's sampling actions know no resource that a service could be given",
    "xray:GetSamplingTargets": "X-Ray's sampling actions know no resource that a service could be given",
    "logs:CreateLogDelivery": "log delivery knows no resource",
    "logs:GetLogDelivery": "log delivery knows no resource",
    "logs:UpdateLogDelivery": "log delivery knows no resource",
    "logs:DeleteLogDelivery": "log delivery knows no resource",
    "logs:ListLogDeliveries": "log delivery knows no resource",
    "logs:PutResourcePolicy": "knows no resource",
    "logs:DescribeResourcePolicies": "knows no resource",
    "logs:DescribeLogGroups": "AWS's own policy for Step Functions' logs asks for all groups",
    "ec2:CreateNetworkInterface": "an interface's id is not known before it is there",
    "ec2:DescribeNetworkInterfaces": "EC2's Describe actions know no resource",
    "ec2:DescribeSubnets": "EC2's Describe actions know no resource",
    "ec2:DeleteNetworkInterface": "an interface's id is not known before it is there",
    "ec2:AssignPrivateIpAddresses": "an interface's id is not known before it is there",
    "ec2:UnassignPrivateIpAddresses": "an interface's id is not known before it is there",
}
"""Actions that may be allowed on `*`, each with AWS's reason."""

OPEN_ENDED = {
    r":secret:\$\{SecretPrefix\}\*$": "connections are made after the stack; the prefix is the bound",
    r":execution:\$\{AWS::StackName\}-(export|collect):\*$": "executions' names are not known before",
    r":execution:\$\{AWS::StackName\}-collect/\*$": "a Distributed Map's children, named by Step Functions",
    r":s3:::\$\{Name\}(/_logferry/collections|/unpacked|/tables)?/\*$": "objects' keys are not known before",
}
"""Resources that may end in `*`, each with its reason."""
