"""Reads from moto what was set up there for an application role, and prints it as JSON.

usage: moto_world.py URL ROLE-NAME PERMISSION-SET GROUP
"""

import json
import sys
import urllib.parse

import boto3

url, role_name, set_name, group_name = sys.argv[1:]
access = {"endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}
iam, sso, store = (boto3.client(name, **access) for name in ("iam", "sso-admin", "identitystore"))


def text(document):
    """A policy, which moto gives as an object or as text, URL-encoded or not."""
    return json.dumps(document) if isinstance(document, dict) else urllib.parse.unquote(document)


role = iam.get_role(RoleName=role_name)["Role"]
policies = {}
for attached in iam.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]:
    policy = iam.get_policy(PolicyArn=attached["PolicyArn"])["Policy"]
    version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    policies[attached["PolicyName"]] = text(version["Document"])
for name in iam.list_role_policies(RoleName=role_name)["PolicyNames"]:
    policies[name] = text(iam.get_role_policy(RoleName=role_name, PolicyName=name)["PolicyDocument"])

instance = sso.list_instances()["Instances"][0]
arn = {"InstanceArn": instance["InstanceArn"]}
sets = {}
for set_arn in sso.list_permission_sets(**arn)["PermissionSets"]:
    found = sso.describe_permission_set(PermissionSetArn=set_arn, **arn)["PermissionSet"]
    sets[found["Name"]] = found
chosen = sets[set_name]
key = {"PermissionSetArn": chosen["PermissionSetArn"], **arn}
account = role["Arn"].split(":")[4]
groups = {g["DisplayName"]: g["GroupId"] for g in store.list_groups(IdentityStoreId=instance["IdentityStoreId"])["Groups"]}
assignments = sso.list_account_assignments(AccountId=account, **key)["AccountAssignments"]
print(json.dumps({
    "role": {
        "arn": role["Arn"], "maxSessionDuration": role.get("MaxSessionDuration", 3600),
        "trustPolicy": text(role["AssumeRolePolicyDocument"]), "policies": policies,
    },
    "permissionSet": {
        "name": chosen["Name"], "sessionDuration": chosen.get("SessionDuration"),
        "inlinePolicy": sso.get_inline_policy_for_permission_set(**key)["InlinePolicy"],
    },
    "group": {"id": groups.get(group_name), "name": group_name},
    "assignments": [{"principalType": a["PrincipalType"], "principalId": a["PrincipalId"], "account": a["AccountId"]} for a in assignments],
}))
