import Foundation
import TestSupport

/// The article's profile, its policy, and an AWS to apply setups to.
struct RoleSetupStage {
  static let fixtures = Repository.root.appending(path: "Tests/EndToEndTests/Fixtures").path
  static let policy = fixtures + "/article/application-policy.json"
  static let reader = fixtures + "/aws_side.py"

  let vault = TestVault()

  /// - Parameter more: sections that follow the article's.
  init(more: String = "") async throws {
    vault.config(try Repository.text("Tests/EndToEndTests/Fixtures/article/config") + more)
    try await vault.mustRun("import")
  }

  /// A setup in a format, written to a file. Words follow `vault iam generate`.
  func generate(_ format: String, _ words: [String]) async throws -> String {
    let result = try await vault.run(words: ["iam", "generate"] + words + ["--format", format])
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
    let folder = vault.folder
    return folder.write(result.output, to: "setup-\(UUID().uuidString).\(format)")
  }

  /// What the fixture's reader prints.
  static func read(_ words: String..., input: String = "") async throws -> String {
    let result = try await Subprocess.run(
      try Programs.python, [reader] + words,
      environment: ["PYTHONIOENCODING": "utf-8", "PATH": "/usr/bin:/bin", "HOME": "/nonexistent"],
      input: Array(input.utf8), timeout: 120)
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
    return result.output
  }
}

extension MotoServer {
  /// The environment of somebody who administers moto's account with the AWS CLI.
  func administrator() throws -> [String: String] {
    [
      "PATH": URL(fileURLWithPath: try Programs.aws).deletingLastPathComponent().path + ":/usr/bin:/bin",
      "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1",
      "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8",
    ]
  }

  /// Runs a script of `vault iam generate`.
  func apply(_ script: String, _ words: String...) async throws -> Subprocess.Result {
    try await Subprocess.run("/bin/bash", [script] + words, environment: try administrator(), timeout: 300)
  }

  /// Makes users of IAM Identity Center, and IAM users.
  func makeUsers(_ names: [String], iam: [String] = []) async throws {
    let script = """
      import boto3, json, sys
      url, names, iam_names = json.load(sys.stdin)
      def client(name):
          return boto3.client(name, endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test")
      store = client("sso-admin").list_instances()["Instances"][0]["IdentityStoreId"]
      for name in names:
          client("identitystore").create_user(
              IdentityStoreId=store, UserName=name, DisplayName="d", Name={"GivenName": "g", "FamilyName": "f"})
      for name in iam_names:
          client("iam").create_user(UserName=name)
      """
    let input = try JSONSerialization.data(withJSONObject: [url, names, iam] as [Any])
    let result = try await Subprocess.run(
      try Programs.python, ["-c", script], environment: ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"], input: Array(input))
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
  }

  /// Runs the AWS CLI.
  @discardableResult
  func aws(_ words: String...) async throws -> String {
    let result = try await Subprocess.run(try Programs.aws, words, environment: try administrator(), timeout: 120)
    guard result.succeeded else { throw GeneratedLog.Failed(end: result.end, errors: result.errors) }
    return result.output
  }
}
