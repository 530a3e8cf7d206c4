extension CredentialChain {
  /// The role whose credentials are delivered, as guard rules match it. The ARN of a permission set's role ends in digits that
  /// only AWS knows, and has the region in its path outside us-east-1; so there are several.
  public var deliveredRoleARNs: [String] {
    if let role = roles.last ?? identity.role { return [role.roleARN.text] }
    guard case .sso(_, let account, let name, let place) = identity else { return [] }
    let start = "arn:\(Partition(region: place.region).rawValue):iam::\(account):role/aws-reserved/sso.amazonaws.com/"
    return ["", place.region + "/"].map { "\(start)\($0)AWSReservedSSO_\(name)_0000000000000000" }
  }
}
