import VaultBytes

extension RoleSetup {
  /// A script for bash over the AWS CLI.
  ///
  /// Everything that differs between setups is in assignments at its beginning, each a quoted word; the rest is the same text. Names
  /// that people choose go to the AWS CLI inside JSON, because it would read a file for a parameter that begins with `file://`.
  var script: String {
    var parts = ["role", "policy"]
    var text = """
      #!/usr/bin/env bash
      # \(safeText(role.trust.meaning)).
      #
      #   bash FILE         makes what is missing and changes what differs; a second time, it changes nothing
      #   bash FILE adopt   the same, and also changes what this script has not made
      #   bash FILE undo    removes what this script has made
      #
      # Needs the AWS CLI and the credentials of an administrator of account \(role.arn.account) (AWS_PROFILE or the like).

      """
    if permissionSet != nil {
      text += "# IDENTITY_CENTER_PROFILE names the AWS CLI's profile of IAM Identity Center's administrator, if it is another.\n"
    }
    text += "set -euo pipefail\n\n"
    func assign(_ name: String, _ value: String) { text += "\(name)=\(ShellText.quoted(value))\n" }
    func assign(_ name: String, json: String) { text += "\(name)=\(ShellText.quoted(json: json))\n" }
    assign("account", role.arn.account)
    assign("mark", mark)
    assign("role", role.arn.name)
    assign("role_arn", role.arn.text)
    assign("role_path", role.arn.path)
    assign("role_seconds", String(role.maxSessionSeconds))
    assign("trust", json: role.trust.document.json.pretty())
    assign("policy", applicationPolicy.name)
    assign("policy_arn", applicationPolicyARN)
    assign("policy_document", json: applicationPolicy.document.json.pretty())
    if role.hasInstanceProfile { parts.append("instance_profile") }
    if let assumePolicy {
      switch callerPolicy {
      case .user(let name), .role(let name):
        let kind = if case .user = callerPolicy { "user" } else { "role" }
        parts.append("caller")
        assign("caller_kind", kind)
        assign("caller", name)
        assign("assume", assumePolicy.name)
        assign("assume_document", json: assumePolicy.document.json.pretty())
      case .permissionSet, .elsewhere: break
      }
    }
    if let set = permissionSet {
      parts += ["set", "group", "assignment"]
      assign("center_region", set.region)
      assign("assigned_account", set.account)
      assign("set", set.name)
      assign("set_duration", isoDuration(set.sessionSeconds))
      assign("set_document", json: set.inlinePolicy.json.pretty())
      assign("group", set.group)
      assign("group_key", json: Self.key("displayName", set.group))
      assign(
        "group_input",
        json: JSONValue.object([JSONMember("DisplayName", .string(set.group)), JSONMember("Description", .string(mark))])
          .compact())
      text += "members=(\(set.members.map { ShellText.quoted($0) }.joined(separator: " ")))\n"
      text += "member_keys=(\(set.members.map { ShellText.quoted(json: Self.key("userName", $0)) }.joined(separator: " ")))\n"
    }
    text += ScriptText.common
    if permissionSet != nil { text += ScriptText.center }
    for part in parts { text += ScriptText.parts[part] ?? "" }
    text += "setup() {\n"
    if permissionSet != nil { text += "  find_center\n  find_members\n" }
    text += parts.map { "  setup_\($0)\n" }.joined() + "}\n\nundo() {\n"
    if permissionSet != nil { text += "  find_center\n" }
    return text + parts.reversed().map { "  undo_\($0)\n" }.joined() + "}\n" + ScriptText.main
  }

  /// The parameter by which the Identity Store finds a group or a user.
  private static func key(_ attribute: String, _ value: String) -> String {
    let attribute: [JSONMember] = [JSONMember("AttributePath", .string(attribute)), JSONMember("AttributeValue", .string(value))]
    let unique = JSONValue.object([JSONMember("UniqueAttribute", .object(attribute))])
    return JSONValue.object([JSONMember("AlternateIdentifier", unique)]).compact()
  }
}

/// The text of the script that is the same for every setup.
enum ScriptText {
  static let common = #"""

    export AWS_PAGER='' AWS_DEFAULT_OUTPUT=text AWS_CLI_AUTO_PROMPT=off
    changes=0
    errors=$(mktemp)
    trap 'rm -f "$errors"' EXIT

    did() {
      changes=$((changes + 1))
      printf '%s\n' "$1"
    }

    fail() {
      printf 'setup: %s\n' "$1" >&2
      exit 1
    }

    # Prints what a call finds, and nothing if AWS has no such thing.
    find() {
      "$@" 2>"$errors" && return
      grep -qE '\((NoSuchEntity|ResourceNotFoundException)\)' "$errors" && return
      cat "$errors" >&2
      return 1
    }

    # Whether the script may change a thing that is there: it made it, or was told to adopt it.
    own() {
      [ "$1" = "$mark" ] || [ "$action" = adopt ] || fail "$2 was not made by this script and differs: change it by hand, or with \"bash $0 adopt\""
    }

    setup_role() {
      local found note same seconds
      found=$(find aws iam get-role --role-name="$role" --query Role.Arn)
      if [ -z "$found" ]; then
        aws iam create-role --role-name="$role" --path="$role_path" --description="$mark" \
          --max-session-duration="$role_seconds" --assume-role-policy-document="$trust" >/dev/null
        did "made the role $role"
        return
      fi
      [ "$found" = "$role_arn" ] || fail "the role $role has another path: $found"
      note=$(aws iam get-role --role-name="$role" --query Role.Description)
      same=$(aws iam get-role --role-name="$role" --query "Role.AssumeRolePolicyDocument == \`$trust\`")
      if [ "$same" != True ]; then
        own "$note" "the role $role"
        aws iam update-assume-role-policy --role-name="$role" --policy-document="$trust"
        did "changed the trust policy of the role $role"
      fi
      seconds=$(aws iam get-role --role-name="$role" --query Role.MaxSessionDuration)
      if [ "$seconds" != "$role_seconds" ]; then
        own "$note" "the role $role"
        aws iam update-role --role-name="$role" --max-session-duration="$role_seconds" >/dev/null
        did "changed the maximum session duration of the role $role from $seconds to $role_seconds seconds"
      fi
    }

    undo_role() {
      local note
      note=$(find aws iam get-role --role-name="$role" --query Role.Description)
      [ -n "$note" ] || return 0
      if [ "$note" != "$mark" ]; then
        printf 'kept the role %s, which this script has not made\n' "$role"
        return
      fi
      aws iam delete-role --role-name="$role"
      did "removed the role $role"
    }

    setup_policy() {
      local version same old attached note
      version=$(find aws iam get-policy --policy-arn="$policy_arn" --query Policy.DefaultVersionId)
      if [ -z "$version" ]; then
        aws iam create-policy --policy-name="$policy" --description="$mark" --policy-document="$policy_document" >/dev/null
        did "made the policy $policy"
      else
        same=$(aws iam get-policy-version --policy-arn="$policy_arn" --version-id="$version" \
          --query "PolicyVersion.Document == \`$policy_document\`")
        if [ "$same" != True ]; then
          note=$(aws iam get-policy --policy-arn="$policy_arn" --query Policy.Description)
          own "$note" "the policy $policy"
          # A policy has five versions at most; the oldest that is not in use makes room.
          old=$(aws iam list-policy-versions --policy-arn="$policy_arn" \
            --query 'sort_by(Versions[?!IsDefaultVersion], &CreateDate) | [-4].VersionId')
          [ "$old" = None ] || aws iam delete-policy-version --policy-arn="$policy_arn" --version-id="$old"
          aws iam create-policy-version --policy-arn="$policy_arn" --set-as-default --policy-document="$policy_document" >/dev/null
          did "changed the policy $policy"
        fi
      fi
      attached=$(aws iam list-attached-role-policies --role-name="$role" --query "AttachedPolicies[?PolicyArn=='$policy_arn'].PolicyArn")
      if [[ $attached != *"$policy_arn"* ]]; then
        aws iam attach-role-policy --role-name="$role" --policy-arn="$policy_arn"
        did "attached the policy $policy to the role $role"
      fi
    }

    undo_policy() {
      local note attached versions version
      note=$(find aws iam get-policy --policy-arn="$policy_arn" --query Policy.Description)
      [ -n "$note" ] || return 0
      if [ "$note" != "$mark" ]; then
        printf 'kept the policy %s, which this script has not made\n' "$policy"
        return
      fi
      attached=$(find aws iam list-attached-role-policies --role-name="$role" --query "AttachedPolicies[?PolicyArn=='$policy_arn'].PolicyArn")
      [[ $attached != *"$policy_arn"* ]] || aws iam detach-role-policy --role-name="$role" --policy-arn="$policy_arn"
      versions=$(aws iam list-policy-versions --policy-arn="$policy_arn" --query 'Versions[?!IsDefaultVersion].VersionId')
      for version in $versions; do aws iam delete-policy-version --policy-arn="$policy_arn" --version-id="$version"; done
      aws iam delete-policy --policy-arn="$policy_arn"
      did "removed the policy $policy"
    }


    """#

  static let parts: [String: String] = [
    "instance_profile": #"""
    setup_instance_profile() {
      local found roles
      found=$(find aws iam get-instance-profile --instance-profile-name="$role" --query InstanceProfile.Arn)
      if [ -z "$found" ]; then
        aws iam create-instance-profile --instance-profile-name="$role" >/dev/null
        did "made the instance profile $role"
      fi
      roles=$(aws iam get-instance-profile --instance-profile-name="$role" --query 'InstanceProfile.Roles[].Arn')
      [ "$roles" != "$role_arn" ] || return 0
      [ -z "$roles" ] || fail "the instance profile $role has another role: $roles"
      aws iam add-role-to-instance-profile --instance-profile-name="$role" --role-name="$role"
      did "put the role $role into its instance profile"
    }

    undo_instance_profile() {
      local roles note
      note=$(find aws iam get-role --role-name="$role" --query Role.Description)
      [ "$note" = "$mark" ] || return 0
      roles=$(find aws iam get-instance-profile --instance-profile-name="$role" --query 'InstanceProfile.Roles[].Arn')
      [ "$roles" = "$role_arn" ] || return 0
      aws iam remove-role-from-instance-profile --instance-profile-name="$role" --role-name="$role"
      aws iam delete-instance-profile --instance-profile-name="$role"
      did "removed the instance profile $role"
    }


    """#,
    "caller": #"""
    setup_caller() {
      local same
      same=$(find aws iam "get-$caller_kind-policy" "--$caller_kind-name=$caller" --policy-name="$assume" \
        --query "PolicyDocument == \`$assume_document\`")
      [ "$same" != True ] || return 0
      aws iam "put-$caller_kind-policy" "--$caller_kind-name=$caller" --policy-name="$assume" --policy-document="$assume_document"
      did "let the $caller_kind $caller assume the role $role"
    }

    undo_caller() {
      local found
      found=$(find aws iam "get-$caller_kind-policy" "--$caller_kind-name=$caller" --policy-name="$assume" --query PolicyName)
      [ -n "$found" ] || return 0
      aws iam "delete-$caller_kind-policy" "--$caller_kind-name=$caller" --policy-name="$assume"
      did "removed the policy $assume of the $caller_kind $caller"
    }


    """#,
    "set": #"""
    find_set() {
      local arns arn name
      set_arn='' set_note=''
      arns=$(center sso-admin list-permission-sets --instance-arn="$instance" --query 'PermissionSets[]')
      for arn in $arns; do
        name=$(center sso-admin describe-permission-set --instance-arn="$instance" --permission-set-arn="$arn" --query PermissionSet.Name)
        [ "$name" = "$set" ] || continue
        set_arn=$arn
        set_note=$(center sso-admin describe-permission-set --instance-arn="$instance" --permission-set-arn="$arn" \
          --query PermissionSet.Description)
        return
      done
    }

    setup_set() {
      local duration document request
      find_set
      if [ -z "$set_arn" ]; then
        set_arn=$(center sso-admin create-permission-set --instance-arn="$instance" --name="$set" --description="$mark" \
          --session-duration="$set_duration" --query PermissionSet.PermissionSetArn)
        center sso-admin put-inline-policy-to-permission-set --instance-arn="$instance" --permission-set-arn="$set_arn" \
          --inline-policy="$set_document"
        did "made the permission set $set"
        return
      fi
      duration=$(center sso-admin describe-permission-set --instance-arn="$instance" --permission-set-arn="$set_arn" \
        --query PermissionSet.SessionDuration)
      document=$(center sso-admin get-inline-policy-for-permission-set --instance-arn="$instance" --permission-set-arn="$set_arn" \
        --query InlinePolicy)
      # Another's permission set keeps its duration: an update would clear its relay state.
      [ "$set_note" = "$mark" ] || duration=$set_duration
      [ "$duration" != "$set_duration" ] || [ "$document" != "$set_document" ] || return 0
      own "$set_note" "the permission set $set"
      [ "$duration" = "$set_duration" ] || center sso-admin update-permission-set --instance-arn="$instance" \
        --permission-set-arn="$set_arn" --description="$mark" --session-duration="$set_duration"
      center sso-admin put-inline-policy-to-permission-set --instance-arn="$instance" --permission-set-arn="$set_arn" \
        --inline-policy="$set_document"
      # The roles of accounts that have it already change only with this.
      request=$(center sso-admin provision-permission-set --instance-arn="$instance" --permission-set-arn="$set_arn" \
        --target-type=ALL_PROVISIONED_ACCOUNTS --query 'PermissionSetProvisioningStatus.[RequestId,Status]')
      await describe-permission-set-provisioning-status --provision-permission-set-request-id PermissionSetProvisioningStatus "$request"
      did "changed the permission set $set"
    }

    undo_set() {
      find_set
      [ -n "$set_arn" ] || return 0
      if [ "$set_note" != "$mark" ]; then
        printf 'kept the permission set %s, which this script has not made\n' "$set"
        return
      fi
      center sso-admin delete-permission-set --instance-arn="$instance" --permission-set-arn="$set_arn"
      did "removed the permission set $set"
    }


    """#,
    "group": #"""
    find_group() {
      group_id=$(find center identitystore get-group-id --identity-store-id="$store" --cli-input-json "$group_key" --query GroupId)
      group_note=''
      [ -z "$group_id" ] || group_note=$(center identitystore describe-group --identity-store-id="$store" --group-id="$group_id" \
        --query Description)
    }

    # Before anything is made: a user that does not exist is most often a misspelled name.
    find_members() {
      local index id
      user_ids=()
      for index in "${!members[@]}"; do
        id=$(find center identitystore get-user-id --identity-store-id="$store" --cli-input-json "${member_keys[index]}" --query UserId)
        [ -n "$id" ] || fail "IAM Identity Center has no user ${members[index]}"
        user_ids+=("$id")
      done
    }

    setup_group() {
      local index found
      find_group
      if [ -z "$group_id" ]; then
        group_id=$(center identitystore create-group --identity-store-id="$store" --cli-input-json "$group_input" --query GroupId)
        did "made the group $group"
      fi
      for index in "${!members[@]}"; do
        found=$(center identitystore list-group-memberships --identity-store-id="$store" --group-id="$group_id" \
          --query "GroupMemberships[?MemberId.UserId=='${user_ids[index]}'].MembershipId")
        [ -z "$found" ] || continue
        center identitystore create-group-membership --identity-store-id="$store" --group-id="$group_id" \
          --member-id="UserId=${user_ids[index]}" >/dev/null
        did "added ${members[index]} to the group $group"
      done
    }

    undo_group() {
      local ids id
      find_group
      [ -n "$group_id" ] || return 0
      if [ "$group_note" != "$mark" ]; then
        printf 'kept the group %s and its members: this script has not made it\n' "$group"
        return
      fi
      ids=$(center identitystore list-group-memberships --identity-store-id="$store" --group-id="$group_id" \
        --query 'GroupMemberships[].MembershipId')
      for id in $ids; do center identitystore delete-group-membership --identity-store-id="$store" --membership-id="$id"; done
      center identitystore delete-group --identity-store-id="$store" --group-id="$group_id"
      did "removed the group $group"
    }


    """#,
    "assignment": #"""
    find_assignment() {
      assigned=$(center sso-admin list-account-assignments --instance-arn="$instance" --account-id="$assigned_account" \
        --permission-set-arn="$set_arn" --query "AccountAssignments[?PrincipalId=='$group_id'].PrincipalId")
    }

    setup_assignment() {
      local request
      find_assignment
      [[ $assigned != *"$group_id"* ]] || return 0
      request=$(center sso-admin create-account-assignment --instance-arn="$instance" --target-id="$assigned_account" \
        --target-type=AWS_ACCOUNT --permission-set-arn="$set_arn" --principal-type=GROUP --principal-id="$group_id" \
        --query 'AccountAssignmentCreationStatus.[RequestId,Status]')
      await describe-account-assignment-creation-status --account-assignment-creation-request-id AccountAssignmentCreationStatus "$request"
      did "assigned the permission set $set in account $assigned_account to the group $group"
    }

    undo_assignment() {
      local request
      find_set
      find_group
      [ -n "$set_arn" ] && [ -n "$group_id" ] || return 0
      [ "$set_note" = "$mark" ] || [ "$group_note" = "$mark" ] || return 0
      find_assignment
      [[ $assigned == *"$group_id"* ]] || return 0
      request=$(center sso-admin delete-account-assignment --instance-arn="$instance" --target-id="$assigned_account" \
        --target-type=AWS_ACCOUNT --permission-set-arn="$set_arn" --principal-type=GROUP --principal-id="$group_id" \
        --query 'AccountAssignmentDeletionStatus.[RequestId,Status]')
      await describe-account-assignment-deletion-status --account-assignment-deletion-request-id AccountAssignmentDeletionStatus "$request"
      did "removed the assignment of the permission set $set to the group $group"
    }


    """#,
  ]

  static let center = #"""
    center() {
      aws ${IDENTITY_CENTER_PROFILE:+--profile="$IDENTITY_CENTER_PROFILE"} --region="$center_region" "$@"
    }

    find_center() {
      local found
      found=$(center sso-admin list-instances --query 'Instances[0].[InstanceArn,IdentityStoreId]')
      [ "$found" != None ] || fail "these credentials see no IAM Identity Center in $center_region"
      read -r instance store <<<"$found"
    }

    # Waits for what goes on after its answer: operation, option, member, request and status.
    await() {
      local id status reason='the change failed' answer
      read -r id status <<<"$4"
      for _ in {1..120}; do
        case $status in
          IN_PROGRESS) sleep 1 ;;
          FAILED) fail "IAM Identity Center: $reason ($1, request $id)" ;;
          *) return 0 ;;
        esac
        answer=$(center sso-admin "$1" --instance-arn="$instance" "$2=$id" --query "$3.[Status,FailureReason]")
        read -r status reason <<<"$answer"
      done
      fail "IAM Identity Center is still at work after two minutes ($1, request $id)"
    }


    """#

  static let main = #"""

    action=${1:-setup}
    case $action in setup | adopt | undo) ;; *) fail "usage: bash $0 [adopt | undo]" ;; esac
    found=$(aws sts get-caller-identity --query Account)
    [ "$found" = "$account" ] || fail "these credentials are of account $found; the role belongs in account $account"
    case $action in
      undo) undo ;;
      *) setup ;;
    esac
    [ "$changes" -gt 0 ] || printf 'nothing to change\n'

    """#
}
