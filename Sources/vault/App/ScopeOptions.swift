import AWSPolicy
import VaultModel

/// The options that narrow a session, or name a role that no profile has.
enum ScopeOptions {
  static let narrowing = [
    OptionSpec("read-only", "narrow the session to AWS's ReadOnlyAccess policy"),
    OptionSpec("policy", value: "FILE", kind: .file, "narrow it to a policy in a file, JSON (- for standard input)"),
    OptionSpec("policy-arn", value: "ARN", "narrow it to a managed policy (up to 10; AWS unites all policies that are given)"),
    OptionSpec("tag", value: "KEY=VALUE", "add a session tag (up to 50)"),
    OptionSpec("transitive", value: "KEY", "pass this tag on to the roles that are assumed with the session"),
    OptionSpec("source-identity", value: "NAME", "the source identity in CloudTrail, which no later role can change"),
    OptionSpec("external-id", value: "ID", "the external id that the role's trust policy asks for"),
  ]

  static let role = [
    OptionSpec("role", value: "ARN", "assume this role with the credentials of the profile that --source names"),
    OptionSpec("source", value: "PROFILE", kind: .profile, "the profile for --role, in the place of PROFILE"),
  ]

  static let all = narrowing + role
}

extension SessionScope {
  /// - Throws: usage or bad data, for what STS would refuse; AWS is not asked then.
  init(_ arguments: Arguments) throws(Failure) {
    self.init()
    isReadOnly = arguments.has("read-only")
    let files = arguments.all("policy")
    guard files.count <= 1 else {
      throw Failure("--policy is there twice: a session has one inline policy", exitStatus: .usage)
    }
    if let file = files.first { policy = try PolicyFile.session(file) }
    policyARNs = arguments.all("policy-arn")
    tags = try arguments.all("tag").map { text throws(Failure) in
      guard let equals = text.firstIndex(of: "=") else {
        throw Failure("--tag: \"\(text)\" is not KEY=VALUE", hint: "for example --tag team=payments", exitStatus: .usage)
      }
      return SessionTag(key: String(text[..<equals]), value: String(text[text.index(after: equals)...]))
    }
    transitiveTagKeys = arguments.all("transitive")
    sourceIdentity = arguments["source-identity"]
    externalId = arguments["external-id"]
    try check()
  }
}

extension Arguments {
  /// `--role`, with `--source`.
  func role() throws(Failure) -> RoleARN? {
    guard let text = self["role"] else {
      guard !has("source") else { throw Failure("--source needs --role ARN", exitStatus: .usage) }
      return nil
    }
    guard has("source") else {
      throw Failure("--role needs --source PROFILE", hint: "the profile whose credentials assume the role", exitStatus: .usage)
    }
    guard let role = RoleARN(text) else {
      throw Failure(
        "--role: \"\(text)\" is not the ARN of a role", hint: "it has the form arn:aws:iam::ACCOUNT:role/NAME",
        exitStatus: .usage)
    }
    return role
  }

  /// The profile of `--source`, which stands in the place of a positional one.
  func source() throws(Failure) -> String? {
    guard let source = self["source"] else { return nil }
    if let word = positional.first {
      throw Failure("unexpected argument: \"\(word)\"", hint: "--source already names the profile", exitStatus: .usage)
    }
    guard !source.isEmpty else { throw Failure("--source: missing profile", exitStatus: .usage) }
    return source
  }
}
