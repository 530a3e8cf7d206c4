import AWSPolicy
import Glibc
import VaultModel
import VaultWire

/// `vault iam generate`: prints everything on the AWS side that makes a profile work.
enum GenerateCommand {
  static let command = Command(
    "iam generate", arguments: [.profile], topic: .account,
    summary: "print the AWS side of a profile's role: policies, trust, permission set",
    note: SetupArguments.note,
    examples: [
      Example("vault iam generate app-dev --format terraform", "for a Terraform module"),
      Example("vault iam generate app-dev --policy app-policy.json", "with a policy of your own"),
    ],
    options: [
      OptionSpec(
        "format", short: "f", value: "FORMAT", kind: .words(["json", "terraform", "cloudformation", "script"]),
        "json (default), terraform, cloudformation, or script (bash and the AWS CLI)"),
      OptionSpec(
        "policy", value: "FILE", kind: .file,
        "what the application may do: an IAM policy, - for standard input (default: a skeleton)"),
      OptionSpec("group", value: "NAME", "the group that gets the permission set (default: its name with Group for Permissions)"),
      OptionSpec("member", value: "USER", "a user of IAM Identity Center to put into the group; can be repeated"),
      OptionSpec(
        "max-session", value: "TIME", kind: .time,
        "the role's maximum session duration (1h to 12h; default: what the profile asks for)"),
      OptionSpec(
        "permission-set-session", value: "TIME", kind: .time, "the permission set's session duration (1h to 12h; default: 1h)"),
      OptionSpec(
        "environment", value: "NAME", kind: .words(["dev", "production"]),
        "dev (default), or production: the role of the application's service, same policy"),
      OptionSpec(
        "service", value: "SERVICE", kind: .words(ComputeService.allCases.map(\.rawValue)),
        "with --environment production: ecs-tasks (default), ec2 or lambda"),
      OptionSpec("role-name", value: "NAME", "with --environment production: the role's name"),
    ] + SetupArguments.options, run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let format = try format(arguments["format"])
    let policy = try arguments["policy"].map { try PolicyFile.read($0) }
    var plan = try SetupArguments.read(arguments, paths)
    plan.request.application = policy
    try addOwn(arguments, to: &plan.request)
    let setup = try plan.request.setup()
    let text = try setup.text(format)
    // Only now: an external ID is stored when everything else is known to be right.
    try plan.storeExternalId(paths)
    var output = Output()
    output.write(text)
    output.flush()
    if policy == nil {
      Diagnostics.notice("the application's policy is a skeleton: edit it, or name your own with --policy FILE")
    }
    for note in plan.notes { Diagnostics.notice(note) }
    if setup.assumePolicy != nil, setup.callerPolicy == .elsewhere, format != .json {
      Diagnostics.notice("the caller's own account must allow it too: --format json has that policy (assumePolicy)")
    }
  }

  private static func format(_ name: String?) throws(Failure) -> SetupFormat {
    guard let name else { return .json }
    guard let format = SetupFormat(rawValue: name) else {
      throw Failure(
        "no format \"\(name)\"", hint: "formats: \(SetupFormat.allCases.map(\.rawValue).joined(separator: ", "))",
        exitStatus: .usage)
    }
    return format
  }

  private static func addOwn(_ arguments: Arguments, to request: inout SetupRequest) throws(Failure) {
    request.group = arguments["group"]
    request.members = arguments.all("member")
    request.maxSessionSeconds = try duration("max-session", arguments)
    request.permissionSetSeconds = try duration("permission-set-session", arguments) ?? request.permissionSetSeconds
    switch arguments["environment"] {
    case nil, "dev", "development":
      for option in ["service", "role-name"] where arguments.has(option) {
        throw Failure("--\(option) is for --environment production", exitStatus: .usage)
      }
    case "production", "prod":
      let name = arguments["service"] ?? ComputeService.ecsTasks.rawValue
      guard let service = ComputeService(rawValue: name) else {
        throw Failure(
          "--service: \"\(name)\" is not a service", hint: ComputeService.allCases.map(\.rawValue).joined(separator: ", "),
          exitStatus: .usage)
      }
      for option in ["principal", "permission-set"] where arguments.has(option) {
        throw Failure("--\(option) cannot be combined with --environment production", exitStatus: .usage)
      }
      request = try request.inProduction(on: service, roleName: arguments["role-name"])
    case let other?:
      throw Failure("--environment: \"\(other)\" is neither dev nor production", exitStatus: .usage)
    }
  }

  private static func duration(_ option: String, _ arguments: Arguments) throws(Failure) -> Int? {
    guard let text = arguments[option] else { return nil }
    guard let seconds = SessionDuration.seconds(text), (3_600...43_200).contains(seconds) else {
      throw Failure("--\(option): \"\(text)\" is not a duration from 1h to 12h", exitStatus: .usage)
    }
    return seconds
  }
}
