import Foundation
import SimulatorModel
import VaultModel

// IAM Identity Center's administration, and its store of groups, as somebody reads them who may.
extension Simulator {
  /// Answers a call in JSON 1.1, which `X-Amz-Target` names.
  func ssoAdmin(_ target: String, _ request: HTTPRequest, now: Timestamp, entry: inout STSRequest) throws(AWSError)
    -> HTTPResponse
  {
    let parts = target.split(separator: ".").map(String.init)
    guard request.method == "POST", request.path == "/", parts.count == 2,
      request["content-type"] == "application/x-amz-json-1.1",
      let service = ["SWBExternalService": "sso", "AWSIdentityStore": "identitystore"][parts[0]]
    else { throw AWSError(400, "UnknownOperationException", "") }
    let signature = try SignatureV4(request)
    entry.accessKeyId = signature.accessKeyId
    entry.region = signature.region
    let caller = try withService { state throws(AWSError) in try state.identify(signature, request, service: service, now: now) }
    entry.callerARN = caller.arn
    guard let body = (try? JSONSerialization.jsonObject(with: Data(request.body))) as? [String: Any] else {
      throw AWSError(400, "SerializationException", "")
    }
    let world = try withService { state throws(AWSError) in state.world }
    let answer = try SSOAdminView(view: AccountView(world: world, caller: caller), action: parts[1], body: body).answer(service)
    let data = (try? JSONSerialization.data(withJSONObject: answer, options: [.sortedKeys])) ?? Data()
    var response = HTTPResponse(
      status: 200, contentType: "application/x-amz-json-1.1", body: String(decoding: data, as: UTF8.self))
    response.headers = [("x-amzn-RequestId", entry.requestId)]
    return response
  }
}

/// One call, by one caller.
private struct SSOAdminView {
  let view: AccountView
  let action: String
  let body: [String: Any]

  static let instance = "arn:aws:sso:::instance/ssoins-0123456789abcdef"

  private var account: STSWorld.Account { view.world.account ?? STSWorld.Account() }

  private func arn(_ set: String) -> String {
    let number = account.permissionSets.firstIndex(of: set) ?? 0
    return "arn:aws:sso:::permissionSet/ssoins-0123456789abcdef/ps-" + String(repeating: "0", count: 15) + "\(number % 10)"
  }

  /// The permission set that the call is about.
  private func set() throws(AWSError) -> String {
    guard let set = account.permissionSets.first(where: { arn($0) == body["PermissionSetArn"] as? String }) else {
      throw AWSError(400, "ResourceNotFoundException", "PermissionSet with the given id does not exist")
    }
    return set
  }

  func answer(_ service: String) throws(AWSError) -> [String: Any] {
    try view.require("\(service):\(action)", on: "*", code: "AccessDeniedException", status: 400)
    if service == "identitystore" {
      guard let id = body["GroupId"] as? String, let name = account.groups[id],
        body["IdentityStoreId"] as? String == "d-0123456789"
      else { throw AWSError(400, "ResourceNotFoundException", "GROUP not found.") }
      return ["GroupId": id, "IdentityStoreId": "d-0123456789", "DisplayName": name]
    }
    if action == "ListInstances" {
      return ["Instances": [["InstanceArn": Self.instance, "IdentityStoreId": "d-0123456789", "Status": "ACTIVE"]]]
    }
    guard body["InstanceArn"] as? String == Self.instance else {
      throw AWSError(400, "ResourceNotFoundException", "Instance with the given id does not exist")
    }
    switch action {
    case "ListPermissionSets": return ["PermissionSets": account.permissionSets.map(arn)]
    case "ListPermissionSetsProvisionedToAccount":
      let isEarlier = body["ProvisioningStatus"] as? String == "LATEST_PERMISSION_SET_NOT_PROVISIONED"
      return [
        "PermissionSets": account.permissionSets.filter {
          !account.unprovisioned.contains($0) && account.outdated.contains($0) == isEarlier
        }.map(arn)
      ]
    case "DescribePermissionSet":
      return [
        "PermissionSet": ["Name": try set(), "PermissionSetArn": arn(try set()), "SessionDuration": "PT1H", "CreatedDate": 1.7e9]
      ]
    case "GetInlinePolicyForPermissionSet":
      return ["InlinePolicy": view.world.identityCenter?.policies?[try set()]?.first ?? ""]
    case "ListManagedPoliciesInPermissionSet":
      return ["AttachedManagedPolicies": (account.managed[try set()] ?? []).map { ["Name": "managed", "Arn": $0] }]
    case "ListCustomerManagedPolicyReferencesInPermissionSet": return ["CustomerManagedPolicyReferences": [[String: String]]()]
    case "GetPermissionsBoundaryForPermissionSet":
      _ = try set()
      throw AWSError(400, "ResourceNotFoundException", "PermissionsBoundary does not exist")
    case "ListAccountAssignments":
      let set = try set()
      return [
        "AccountAssignments": account.assignments.filter { $0.permissionSet == set && $0.account == body["AccountId"] as? String }
          .map {
            ["AccountId": $0.account, "PermissionSetArn": arn(set), "PrincipalType": $0.kind, "PrincipalId": $0.id]
          }
      ]
    default: throw AWSError(400, "UnknownOperationException", "")
    }
  }
}
