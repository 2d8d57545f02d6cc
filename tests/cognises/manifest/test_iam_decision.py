"""Decisions of IAM: against tables from its user guide, and against an evaluator of these tests."""

import random

import pytest
from iam_documents import is_allowed

from cognises.manifest.iam_decision import decide

SUB = "cognito-identity.amazonaws.com:sub"
KEY = "arn:aws:s3:::files/users/{}/a.txt"


def statement(effect="Allow", action="s3:GetObject", resource="*", **elements):
    return {"Effect": effect, "Action": action, "Resource": resource, **elements}


def decided(*statements, **context):
    keys = {name.replace("_", ":", 1): value for name, value in context.items()}
    return decide(statements, "s3:GetObject", KEY.format("anna"), {SUB: "anna", **keys})


def condition(operator, key, value, effect="Allow"):
    return statement(effect, Condition={operator: {key: value}})


OWN = "arn:aws:s3:::files/users/${cognito-identity.amazonaws.com:sub}/*"
BY_STATEMENTS = {
    "nothing": ([], "not allowed"),
    "an allow": ([statement()], "allowed"),
    "another action": ([statement(action="s3:PutObject")], "not allowed"),
    "an action in other letters": ([statement(action="S3:getobject")], "allowed"),
    "a star in the action": ([statement(action="s3:*Object")], "allowed"),
    "a question mark": ([statement(action=["s3:X", "s3:GetObjec?"])], "allowed"),
    "an action is matched whole": ([statement(action="s3:Get")], "not allowed"),
    "the own folder": ([statement(resource=OWN)], "allowed"),
    "another folder": ([statement(resource=KEY.format("bert"))], "not allowed"),
    "resources are matched by case": ([statement(resource=KEY.format("Anna"))], "not allowed"),
    "a deny wins": ([statement(), statement("Deny")], "denied"),
    "a deny alone": ([statement("Deny", "s3:*")], "denied"),
    "a deny elsewhere": ([statement(), statement("Deny", resource="arn:x")], "allowed"),
    "an effect that is none": ([statement("allow")], "denied"),
    "NotAction": ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "allowed"),
    "NotAction names it": ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}],
                           "not allowed"),
    "NotResource": ([{"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::b/*"}],
                    "allowed"),
    "NotResource names it": ([{"Effect": "Allow", "Action": "*", "NotResource": OWN}],
                             "not allowed"),
    "an empty NotAction": ([{"Effect": "Allow", "NotAction": [], "Resource": "*"}], "not allowed"),
    "no action": ([{"Effect": "Allow", "Resource": "*"}], "not allowed"),
    "a variable without a value": ([statement(resource="arn:aws:s3:::files/${aws:userid}*")],
                                   "not allowed"),
    "a variable without a value denies": ([statement(), statement("Deny", resource="${aws:x}")],
                                          "denied"),
    "a variable without a value, beside a star": (
        [statement(resource=["*", "arn:aws:s3:::${aws:x}"])], "not allowed"),
    "a default value": ([statement(resource="arn:aws:s3:::files/users/${aws:x, 'anna'}/*")],
                        "allowed"),
    "an escaped star is a star": ([statement(resource="arn:aws:s3:::files/${*}")], "not allowed"),
    "a text for a condition": ([statement(Condition="x")], "not allowed"),
    "a text for a denied condition": ([statement("Deny", Condition="x")], "denied"),
}  # fmt: skip


@pytest.mark.parametrize("case", BY_STATEMENTS)
def test_statements_decide(case):
    statements, expected = BY_STATEMENTS[case]

    assert decided(*statements) == expected


BY_CONDITION = {
    # operator, values of the policy, value of the call (None: absent), whether it holds
    "equal": ("StringEquals", ["a", "b"], "b", True),
    "a star is a star": ("StringEquals", "a*", "ab", False),
    "a variable": ("StringEquals", f"${{{SUB}}}", "anna", True),
    "a variable of another": ("StringEquals", f"${{{SUB}}}", "bert", False),
    "absent": ("StringEquals", "a", None, False),
    "absent, IfExists": ("StringEqualsIfExists", "a", None, True),
    "present, IfExists": ("StringEqualsIfExists", "a", "b", False),
    "not equal": ("StringNotEquals", ["a", "b"], "c", True),
    "not equal, one of them": ("StringNotEquals", ["a", "b"], "b", False),
    "not equal, absent": ("StringNotEquals", "a", None, True),
    "case": ("StringEquals", "A", "a", False),
    "case ignored": ("StringEqualsIgnoreCase", "A", "a", True),
    "not, case ignored": ("StringNotEqualsIgnoreCase", "A", "a", False),
    "like": ("StringLike", "shared/*", "shared/x/y", True),
    "like, a variable": ("StringLike", f"users/${{{SUB}}}/*", "users/anna/", True),
    "like, another's": ("StringLike", f"users/${{{SUB}}}/*", "users/bert/", False),
    "not like": ("StringNotLike", "shared/*", "shared/x", False),
    "arn": ("ArnLike", "arn:aws:sns:*:1:t*", "arn:aws:sns:eu-west-1:1:top", True),
    "arn, by part": ("ArnEquals", "arn:aws:*:1:t", "arn:aws:sns:x:1:t", False),
    "not arn": ("ArnNotEquals", "arn:aws:sns:*:1:t", "arn:aws:sns:x:1:t", False),
    "true": ("Bool", True, "true", True),
    "true, as a text": ("Bool", "True", "true", True),
    "false": ("Bool", "true", "false", False),
    "number": ("NumericLessThanEquals", 10, "9.5", True),
    "too great": ("NumericLessThanEquals", "10", "11", False),
    "no number": ("NumericNotEquals", "10", "x", None),
    "address": ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
    "not address": ("NotIpAddress", ["203.0.113.0/24"], "203.0.113.9", False),
    "null": ("Null", "true", None, True),
    "null, present": ("Null", "true", "x", False),
    "not null": ("Null", False, "x", True),
    "all": ("ForAllValues:StringEquals", ["a", "b"], ["a", "b"], True),
    "not all": ("ForAllValues:StringEquals", ["a"], ["a", "b"], False),
    "all of none": ("ForAllValues:StringEquals", ["a"], None, True),
    "any": ("ForAnyValue:StringLike", ["b*"], ["a", "bc"], True),
    "any of none": ("ForAnyValue:StringNotEquals", ["b"], None, False),
    "no value": ("StringEquals", [], "a", False),
    # None: neither holds nor fails, so that an Allow never applies and a Deny always does
    "several values for one": ("StringEquals", "a", ["a", "b"], None),
    "an unknown operator": ("StringSounds", "a", "a", None),
    "a misplaced Not": ("NotStringEquals", "b", "a", None),
    "dates": ("DateGreaterThan", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", None),
    "IfExists of several": ("ForAnyValue:StringEqualsIfExists", "a", None, None),
    "a variable without value": ("StringEquals", "${aws:other}", "a", None),
}


@pytest.mark.parametrize("case", BY_CONDITION)
def test_conditions_decide_and_what_is_unknown_never_allows_and_always_denies(case):
    operator, wanted, value, holds = BY_CONDITION[case]
    context = {} if value is None else {"AWS_key": value}

    assert decided(condition(operator, "aws:Key", wanted), **context) == (
        "allowed" if holds else "not allowed"
    )
    denied = decided(condition(operator, "aws:Key", wanted, "Deny"), **context)
    assert denied == ("not allowed" if holds is False else "denied")


@pytest.mark.parametrize("sub", ["*", "?nna", "anna/../bert", "${*}", ".*"])
def test_a_value_of_a_variable_is_no_pattern(sub):
    own = [statement(resource=OWN)]

    assert decide(own, "s3:GetObject", KEY.format(sub), {SUB: sub}) == "allowed"
    assert decide(own, "s3:GetObject", KEY.format("anna"), {SUB: sub}) == "not allowed"


def some(choose, texts):
    return choose.sample(texts, choose.randint(1, len(texts)))


def random_statement(choose):
    element = choose.choice(["Action", "NotAction"])
    operator = choose.choice(["Bool", "StringEquals", "StringNotEquals", "StringLike", "Null",
                              "StringEqualsIfExists", "ForAnyValue:StringLike", "ArnEquals",
                              "ArnNotEquals"])  # fmt: skip
    arns = ["arn:aws:sns:x:1:t", "arn:aws:sns:*:1:?"]
    wanted = some(choose, arns if operator.startswith("Arn") else ["true", "a", "a*", *arns])
    wanted = [choose.choice(["true", "false"])] if operator == "Null" else wanted
    return {
        "Effect": choose.choice(["Allow", "Allow", "Deny"]),
        element: some(choose, ["s3:Get*", "s3:PutObject", "S3:*", "*", "iam:?assRole"]),
        "Resource": some(choose, ["*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/a?", "arn:*:c"]),
        **({"Condition": {operator: {"aws:key": wanted}}} if choose.random() < 0.6 else {}),
    }


def test_random_documents_are_decided_as_by_the_evaluator_of_these_tests():
    choose, allowed = random.Random(20), 0
    for _ in range(3000):
        statements = [random_statement(choose) for _ in range(choose.randint(1, 3))]
        action = choose.choice(["s3:GetObject", "s3:PutObject", "iam:PassRole", "sns:Publish"])
        resource = choose.choice(["arn:aws:s3:::b/ab", "arn:aws:s3:::b/c", "arn:aws:s3:::c", "*"])
        value = choose.choice([None, "a", "ab", "true", "arn:aws:sns:x:1:t"])
        context = {} if value is None else {"aws:key": value}
        expected = is_allowed(statements, action, resource, context)

        found = decide(statements, action, resource, context)

        assert (found == "allowed") == expected, (statements, action, resource, context)
        allowed += expected
    assert 500 < allowed < 2500
