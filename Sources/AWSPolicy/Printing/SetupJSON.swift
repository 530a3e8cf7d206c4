extension RoleSetup {
  /// The documents alone.
  public var json: JSONValue {
    .object([
      JSONMember(
        "role",
        .object([
          JSONMember("name", .string(role.arn.name)), JSONMember("arn", .string(role.arn.text)),
          JSONMember("path", .string(role.arn.path)), JSONMember("maxSessionDuration", .number(String(role.maxSessionSeconds))),
          JSONMember("trustPolicy", role.trust.document.json),
        ])),
      JSONMember("applicationPolicy", applicationPolicy.json), JSONMember("assumePolicy", assumePolicy?.json ?? .null),
      JSONMember(
        "permissionSet",
        permissionSet.map {
          .object([
            JSONMember("name", .string($0.name)), JSONMember("sessionDuration", .string(isoDuration($0.sessionSeconds))),
            JSONMember("inlinePolicy", $0.inlinePolicy.json),
          ])
        } ?? .null),
      JSONMember(
        "group",
        permissionSet.map {
          .object([JSONMember("name", .string($0.group)), JSONMember("members", .array($0.members.map { .string($0) }))])
        } ?? .null),
      JSONMember(
        "assignment",
        permissionSet.map {
          .object([JSONMember("accountId", .string($0.account)), JSONMember("principalType", .string("GROUP"))])
        } ?? .null),
    ])
  }
}

extension RoleSetup.NamedPolicy {
  fileprivate var json: JSONValue { .object([JSONMember("name", .string(name)), JSONMember("document", document.json)]) }
}
