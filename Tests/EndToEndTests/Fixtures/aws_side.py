"""Reads a role's setup, in whatever form it is written or was applied, as one model, and prints that as JSON.

usage: aws_side.py json|terraform|cloudformation FILE
       aws_side.py moto URL ROLE-NAME       (the same model, of what is in moto)
       aws_side.py state URL                (everything in moto that a setup could change)
       aws_side.py texts hcl|yaml           (standard input: one token a line; prints the texts that they mean)
       aws_side.py deploy URL FILE          (deploys a template in moto)
"""

import json
import re
import sys

CLIENT = {"region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test"}


def model(role, policies, assume=None, instance_profile=None, permission_set=None, group=None, assignment=None):
    return {
        "role": role, "policies": policies, "assume": assume, "instanceProfile": instance_profile, "permissionSet": permission_set,
        "group": group, "assignment": assignment,
    }


def document(value):
    return json.loads(value) if isinstance(value, str) else value


# What `--format json` prints.


def from_json(text):
    setup = json.loads(text)
    role, group, chosen = setup["role"], setup["group"], setup["permissionSet"]
    trust = role["trustPolicy"]
    services = [s["Principal"].get("Service") for s in trust["Statement"]]
    return model(
        {"name": role["name"], "path": role["path"], "maxSessionDuration": role["maxSessionDuration"], "trust": trust},
        {setup["applicationPolicy"]["name"]: setup["applicationPolicy"]["document"]},
        assume=setup["assumePolicy"] and setup["assumePolicy"]["document"],
        instance_profile=role["name"] if "ec2.amazonaws.com" in services else None,
        permission_set=chosen, group=group,
        assignment=setup["assignment"] and {"accountId": setup["assignment"]["accountId"], "group": group["name"]})


# CloudFormation, for an account that has both the role and IAM Identity Center.


def from_template(text):
    import yaml

    template = yaml.safe_load(text)
    parameters = template.get("Parameters", {})
    by_type = {}
    for resource in template["Resources"].values():
        by_type.setdefault(resource["Type"], []).append(resource["Properties"])

    def one(kind):
        (found,) = by_type.get(kind, [None])
        return found

    role, policy, chosen, group, assigned = (one(kind) for kind in (
        "AWS::IAM::Role", "AWS::IAM::ManagedPolicy", "AWS::SSO::PermissionSet", "AWS::IdentityStore::Group", "AWS::SSO::Assignment"))
    assert policy["Roles"] == [{"Ref": "Role"}]
    inline = one("AWS::IAM::UserPolicy") or one("AWS::IAM::RolePolicy")
    profile = one("AWS::IAM::InstanceProfile")
    assert profile is None or profile["Roles"] == [{"Ref": "Role"}]
    members = []
    for membership in by_type.get("AWS::IdentityStore::GroupMembership", []):
        assert membership["GroupId"] == {"Fn::GetAtt": ["Group", "GroupId"]}
        members.append(parameters[membership["MemberId"]["UserId"]["Ref"]]["Description"].removeprefix("The user ID of "))
    if assigned:
        assert assigned["PermissionSetArn"] == {"Fn::GetAtt": ["PermissionSet", "PermissionSetArn"]}
        assert assigned["PrincipalId"] == {"Fn::GetAtt": ["Group", "GroupId"]}
        assert (assigned["PrincipalType"], assigned["TargetType"]) == ("GROUP", "AWS_ACCOUNT")
    return model(
        {"name": role["RoleName"], "path": role["Path"], "maxSessionDuration": role["MaxSessionDuration"],
         "trust": role["AssumeRolePolicyDocument"]},
        {policy["ManagedPolicyName"]: policy["PolicyDocument"]},
        assume=inline["PolicyDocument"] if inline else chosen and chosen["InlinePolicy"],
        instance_profile=profile and profile["InstanceProfileName"],
        permission_set=chosen and {
            "name": chosen["Name"], "sessionDuration": chosen["SessionDuration"], "inlinePolicy": chosen["InlinePolicy"]},
        group=group and {"name": group["DisplayName"], "members": members},
        assignment=assigned and {"accountId": assigned["TargetId"], "group": group["DisplayName"]})


# Terraform. python-hcl2 leaves strings as they are written.

ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
TOKEN = re.compile(r'\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([nrt"\\]))|(\$\$|%%)\{|(\$|%)\{|\\')


def hcl_text(token):
    """The text of a quoted template without interpolation (HCL native syntax specification, "Quoted Templates")."""
    assert len(token) >= 2 and token[0] == token[-1] == '"', token

    def replace(match):
        four, eight, escape, literal, template = match.groups()
        if four or eight:
            return chr(int(four or eight, 16))
        if escape:
            return ESCAPES[escape]
        assert literal and not template, f"a template begins in {token}"
        return literal[0] + "{"

    return TOKEN.sub(replace, token[1:-1])


def hcl_value(value):
    import hcl2

    if isinstance(value, dict):
        return {hcl_text(k) if k.startswith('"') else k: hcl_value(v) for k, v in value.items() if not k.startswith("__")}
    if isinstance(value, list):
        return [hcl_value(item) for item in value]
    if not isinstance(value, str):
        return value
    call = re.fullmatch(r"\$\{jsonencode\((.*)\)\}", value, re.S)
    if call:
        return hcl_value(hcl2.loads(f"value = {call.group(1)}\n")["value"])
    return hcl_text(value) if value.startswith('"') else {"expression": value.removeprefix("${").removesuffix("}")}


def from_terraform(text):
    import hcl2

    parsed = hcl2.loads(text)
    blocks = {}
    for kind in ("resource", "data"):
        for entry in parsed.get(kind, []):
            for type_name, labels in entry.items():
                for label, body in labels.items():
                    prefix = "data." if kind == "data" else ""
                    blocks[f"{prefix}{hcl_text(type_name)}.{hcl_text(label)}"] = hcl_value(body)

    def named(kind):
        return [(address, body) for address, body in blocks.items() if address.startswith(kind + ".")]

    def one(kind):
        found = named(kind)
        assert len(found) <= 1, kind
        return found[0] if found else (None, None)

    def refers(value, address, attribute):
        assert value == {"expression": f"{address}.{attribute}"}, value

    (role_at, role), (policy_at, policy), (_, attached) = (one(kind) for kind in (
        "aws_iam_role", "aws_iam_policy", "aws_iam_role_policy_attachment"))
    refers(attached["role"], role_at, "name")
    refers(attached["policy_arn"], policy_at, "arn")
    inline = one("aws_iam_user_policy")[1] or one("aws_iam_role_policy")[1]
    profile = one("aws_iam_instance_profile")[1]
    (set_at, chosen), (_, set_policy), (group_at, group), (_, assigned) = (one(kind) for kind in (
        "aws_ssoadmin_permission_set", "aws_ssoadmin_permission_set_inline_policy", "aws_identitystore_group",
        "aws_ssoadmin_account_assignment"))
    members = []
    for address, membership in named("aws_identitystore_group_membership"):
        refers(membership["group_id"], group_at, "group_id")
        user = membership["member_id"]["expression"].removesuffix(".user_id")
        unique = blocks[user]["alternate_identifier"][0]["unique_attribute"][0]
        assert unique["attribute_path"] == "UserName"
        members.append(unique["attribute_value"])
    if assigned:
        refers(set_policy["permission_set_arn"], set_at, "arn")
        refers(assigned["permission_set_arn"], set_at, "arn")
        refers(assigned["principal_id"], group_at, "group_id")
        assert (assigned["principal_type"], assigned["target_type"]) == ("GROUP", "AWS_ACCOUNT")
    return model(
        {"name": role["name"], "path": role["path"], "maxSessionDuration": role["max_session_duration"],
         "trust": role["assume_role_policy"]},
        {policy["name"]: policy["policy"]},
        assume=inline["policy"] if inline else set_policy and set_policy["inline_policy"],
        instance_profile=profile and profile["name"],
        permission_set=chosen and {
            "name": chosen["name"], "sessionDuration": chosen["session_duration"], "inlinePolicy": set_policy["inline_policy"]},
        group=group and {"name": group["display_name"], "members": members},
        assignment=assigned and {"accountId": assigned["target_id"], "group": group["display_name"]})


# What is in moto.


def state(url):
    import boto3

    iam, sso, store = (boto3.client(name, endpoint_url=url, **CLIENT) for name in ("iam", "sso-admin", "identitystore"))
    result = {"roles": {}, "policies": {}, "callers": {}, "instanceProfiles": {}, "permissionSets": {}, "groups": {}}
    for policy in iam.list_policies(Scope="Local")["Policies"]:
        version = iam.get_policy_version(PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        result["policies"][policy["PolicyName"]] = document(version["Document"])
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        result["roles"][name] = {
            "path": role["Path"], "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "trust": document(role["AssumeRolePolicyDocument"]), "attached": [a["PolicyName"] for a in attached],
        }
        for inline in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            found = iam.get_role_policy(RoleName=name, PolicyName=inline)["PolicyDocument"]
            result["callers"][f"role {name} {inline}"] = document(found)
    for user in iam.list_users()["Users"]:
        for inline in iam.list_user_policies(UserName=user["UserName"])["PolicyNames"]:
            found = iam.get_user_policy(UserName=user["UserName"], PolicyName=inline)["PolicyDocument"]
            result["callers"][f"user {user['UserName']} {inline}"] = document(found)
    for profile in iam.list_instance_profiles()["InstanceProfiles"]:
        result["instanceProfiles"][profile["InstanceProfileName"]] = [r["RoleName"] for r in profile["Roles"]]
    instance = sso.list_instances()["Instances"][0]
    arn, store_id = {"InstanceArn": instance["InstanceArn"]}, {"IdentityStoreId": instance["IdentityStoreId"]}
    users = {u["UserId"]: u["UserName"] for u in store.list_users(**store_id)["Users"]}
    groups = {g["GroupId"]: g["DisplayName"] for g in store.list_groups(**store_id)["Groups"]}
    for group_id, name in groups.items():
        memberships = store.list_group_memberships(GroupId=group_id, **store_id)["GroupMemberships"]
        result["groups"][name] = [users[m["MemberId"]["UserId"]] for m in memberships]
    account = boto3.client("sts", endpoint_url=url, **CLIENT).get_caller_identity()["Account"]
    for set_arn in sso.list_permission_sets(**arn)["PermissionSets"]:
        key = {"PermissionSetArn": set_arn, **arn}
        found = sso.describe_permission_set(**key)["PermissionSet"]
        inline = sso.get_inline_policy_for_permission_set(**key)["InlinePolicy"]
        assigned = sso.list_account_assignments(AccountId=account, **key)["AccountAssignments"]
        result["permissionSets"][found["Name"]] = {
            "sessionDuration": found["SessionDuration"], "inlinePolicy": inline and document(inline),
            "assignments": [{"accountId": a["AccountId"], "group": groups[a["PrincipalId"]]} for a in assigned],
        }
    return result


def from_moto(url, name):
    found = state(url)
    role = found["roles"][name]
    set_name, body = next(iter(found["permissionSets"].items()), (None, None))
    assignment = body and body["assignments"][0]
    inline = list(found["callers"].values())
    return model(
        {"name": name, "path": role["path"], "maxSessionDuration": role["maxSessionDuration"], "trust": role["trust"]},
        {policy: found["policies"][policy] for policy in role["attached"]},
        assume=inline[0] if inline else body and body["inlinePolicy"],
        instance_profile=next((p for p, roles in found["instanceProfiles"].items() if name in roles), None),
        permission_set=body and {
            "name": set_name, "sessionDuration": body["sessionDuration"], "inlinePolicy": body["inlinePolicy"]},
        group=assignment and {"name": assignment["group"], "members": found["groups"][assignment["group"]]},
        assignment=assignment)


def deploy(url, file):
    """Waits for nothing: moto makes a stack at once."""
    import boto3

    client = boto3.client("cloudformation", endpoint_url=url, **CLIENT)
    client.create_stack(StackName="setup", TemplateBody=open(file, encoding="utf-8").read(), Capabilities=["CAPABILITY_NAMED_IAM"])
    print(client.describe_stacks(StackName="setup")["Stacks"][0]["StackStatus"], file=sys.stderr)
    return state(url)


def texts(form):
    lines = sys.stdin.read().split("\n")[:-1]
    if form == "hcl":
        import hcl2

        return [hcl_text(hcl2.loads(f"value = {line}\n")["value"]) for line in lines]
    import yaml

    return [yaml.safe_load(f"- {line}\n")[0] for line in lines]


command, *rest = sys.argv[1:]
readers = {"json": from_json, "terraform": from_terraform, "cloudformation": from_template}
commands = {"moto": from_moto, "state": state, "texts": texts, "deploy": deploy}
result = readers[command](open(rest[0], encoding="utf-8").read()) if command in readers else commands[command](*rest)
print(json.dumps(result, sort_keys=True, indent=1))
