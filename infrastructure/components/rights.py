"""Rights as data: what may be done to what, and, where a wildcard cannot be avoided, the reason for it.

The security rules find every wildcard; only those with a written reason are accepted, so that a new one fails the
synthesis until somebody has said why.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aws_cdk import Acknowledgment, Stack, Validations
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from constructs import IConstruct

_POLICY_VARIABLE: Final = re.compile(r"\$\{([^}]+)\}")
Conditions = Mapping[str, Mapping[str, Sequence[str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One statement of a policy."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str]
    conditions: Conditions = field(default_factory=dict)
    reason: str = ""
    """Why a wildcard is in it; empty without one."""

    @property
    def statement(self) -> iam.PolicyStatement:
        """The right as a statement that allows it."""
        return iam.PolicyStatement(
            sid=self.sid, actions=[*self.actions], resources=[*self.resources], conditions={**self.conditions}
        )


def grant(role: iam.Role, rights: Sequence[Right]) -> iam.Policy:
    """Give a role these rights, and accept their wildcards for the reasons given; return the policy that holds them."""
    policy = iam.Policy(role, "Rights", statements=[right.statement for right in rights])
    policy.attach_to_role(role)
    for right in rights:
        for resource in right.resources:
            if right.reason:
                accept_wildcard(policy, resource, right.reason)
    return policy


def accept_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Accept a resource with a wildcard on a construct; one without is no finding."""
    text = _as_told(Stack.of(construct).resolve(resource))
    if "*" in text:
        accept(construct, f"AwsSolutions-IAM5[Resource::{text}]", reason)


def accept(construct: IConstruct, finding: str, reason: str) -> None:
    """Accept one finding of the security rules on a construct."""
    Validations.of(construct).acknowledge(Acknowledgment(id=f"AwsSolutions::{finding}", reason=reason))


def _as_told(value: object) -> str:
    """Return a resolved text as the rules tell it: a reference as `<AWS::Region>`."""
    if isinstance(value, dict):
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return str(separator).join(_as_told(part) for part in parts)
        if "Fn::GetAtt" in value:
            return f"<{'.'.join(value['Fn::GetAtt'])}>"
        return f"<{value['Ref']}>"
    return _POLICY_VARIABLE.sub(r"<\1>", str(value))
