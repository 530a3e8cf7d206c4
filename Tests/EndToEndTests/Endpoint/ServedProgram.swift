import Foundation
import TestSupport
import Testing

/// A program that is served, until its standard input has a line.
struct ServedProgram {
  let program: RunningProgram
  let port: UInt16
  let token: String
  /// Where the token stands, for one that was started with `--token-file`.
  let tokenFile: String

  init(_ vault: TestVault, option: String = "--server", _ others: String..., profile: String = "app-dev") async throws {
    let script = """
      echo $AWS_CONTAINER_CREDENTIALS_FULL_URI | sed 's/.*:\\([0-9]*\\).*/\\1/'
      echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN$(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE </dev/null)"
      echo "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"; read end
      """
    program = try RunningProgram(
      Programs.vault, ["exec", option] + others + [profile, "--", "sh", "-c", script], environment: vault.environment)
    port = try #require(UInt16(try await program.readLine()))
    token = try await program.readLine()
    tokenFile = try await program.readLine()
  }

  func response() async throws -> LoopbackHTTP.Response {
    try await LoopbackHTTP.send("GET", "/credentials", port: port, headers: ["Authorization": token], timeout: 10)
  }

  /// The key that it is served now; nil where it is served none.
  func key() async throws -> String? {
    let answer = try await response()
    guard answer.status == 200 else { return nil }
    return (try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: String])?["AccessKeyId"]
  }

  /// The key that it is served, once it is.
  func nextKey() async throws -> String? {
    let deadline = Date().addingTimeInterval(30)
    while Date() < deadline {
      if let key = try? await key() { return key }
      try await Task.sleep(for: .milliseconds(20))
    }
    return nil
  }

  func end() async throws {
    program.send("\n")
    try await program.wait(timeout: 10)
  }
}
