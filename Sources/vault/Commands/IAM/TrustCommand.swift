import AWSPolicy
import VaultModel

/// `vault iam trust`: the trust policy of a profile's role alone, and in words who is meant.
enum TrustCommand {
  static let command = Command(
    "iam trust", arguments: [.profile], topic: .account,
    summary: "print the trust policy of a profile's role, and say who is meant",
    note: SetupArguments.note,
    examples: [
      Example("vault iam trust app-dev", "who may assume app-dev's role"),
      Example("vault iam trust app-dev --require-source-identity", "demand a source identity"),
    ],
    options: SetupArguments.options, run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let plan = try SetupArguments.read(arguments, paths)
    let trust = try plan.request.trust()
    try plan.storeExternalId(paths)
    var output = Output()
    output.document(trust.document.json.pretty())
    output.flush()
    Diagnostics.notice(trust.meaning)
    for note in plan.notes { Diagnostics.notice(note) }
  }
}
