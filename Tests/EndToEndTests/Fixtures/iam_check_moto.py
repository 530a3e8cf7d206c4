"""Sets up an account in moto for `vault iam check`, or breaks it. usage: iam_check_moto.py URL make|unassign"""
import json
import sys

import boto3

url, act = sys.argv[1:]
REGION, ACCOUNT = "eu-central-1", "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"


def client(service):
    return boto3.client(service, region_name=REGION, endpoint_url=url, aws_access_key_id="AKIAADMINADMINADMIN0", aws_secret_access_key="x" * 40)


def policy(actions, resource):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]})


iam, sso, store = client("iam"), client("sso-admin"), client("identitystore")
instance = sso.list_instances()["Instances"][0]
arn, identity_store = instance["InstanceArn"], instance["IdentityStoreId"]
if act == "unassign":
    (permission_set,) = sso.list_permission_sets(InstanceArn=arn)["PermissionSets"]
    for one in sso.list_account_assignments(InstanceArn=arn, AccountId=ACCOUNT, PermissionSetArn=permission_set)["AccountAssignments"]:
        sso.delete_account_assignment(
            InstanceArn=arn, TargetId=ACCOUNT, TargetType="AWS_ACCOUNT", PermissionSetArn=permission_set,
            PrincipalType=one["PrincipalType"], PrincipalId=one["PrincipalId"])
    iam.put_user_policy(UserName="ann", PolicyName="assume", PolicyDocument=policy("sts:AssumeRole", ROLE + "-other"))
    sys.exit()

path = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{REGION}/AWSReservedSSO_Developer_*"
people = {"ArnLike": {"aws:PrincipalArn": [path, f"arn:aws:iam::{ACCOUNT}:user/ann"]}}
trust = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole", "Condition": people}],
}
iam.create_role(RoleName="app", AssumeRolePolicyDocument=json.dumps(trust), MaxSessionDuration=7200)
iam.put_role_policy(RoleName="app", PolicyName="own", PolicyDocument=policy("ssm:GetParameter", "*"))
managed = iam.create_policy(PolicyName="table", PolicyDocument=policy("dynamodb:GetItem", "*"))["Policy"]["Arn"]
iam.create_policy_version(PolicyArn=managed, PolicyDocument=policy("dynamodb:Query", "*"), SetAsDefault=True)
iam.attach_role_policy(RoleName="app", PolicyArn=managed)
iam.create_user(UserName="ann")
iam.create_group(GroupName="devs")
iam.add_user_to_group(UserName="ann", GroupName="devs")
iam.put_group_policy(GroupName="devs", PolicyName="look", PolicyDocument=policy("iam:Get*", "*"))
iam.put_user_policy(UserName="ann", PolicyName="assume", PolicyDocument=policy("sts:AssumeRole", ROLE))
group = store.create_group(IdentityStoreId=identity_store, DisplayName="My Devs")["GroupId"]
permission_set = sso.create_permission_set(InstanceArn=arn, Name="Developer", SessionDuration="PT1H")["PermissionSet"]["PermissionSetArn"]
sso.put_inline_policy_to_permission_set(InstanceArn=arn, PermissionSetArn=permission_set, InlinePolicy=policy("sts:AssumeRole", ROLE))
sso.create_account_assignment(
    InstanceArn=arn, TargetId=ACCOUNT, TargetType="AWS_ACCOUNT", PermissionSetArn=permission_set, PrincipalType="GROUP", PrincipalId=group)
sso.provision_permission_set(InstanceArn=arn, PermissionSetArn=permission_set, TargetType="AWS_ACCOUNT", TargetId=ACCOUNT)
key = iam.create_access_key(UserName="ann")["AccessKey"]
print(key["AccessKeyId"], key["SecretAccessKey"])
