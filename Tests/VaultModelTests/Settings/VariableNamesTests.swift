import Foundation
import TestSupport
import Testing

/// Our environment variables beside those of HashiCorp's Vault, whose command has the same name.
@Suite struct VariableNamesTests {
  /// From hashicorp/vault: api/client.go, command/commands.go and the pages of its command line.
  static let theirs: Set = [
    "ADDR", "AGENT_ADDR", "CACERT", "CACERT_BYTES", "CAPATH", "CLIENT_CERT", "CLIENT_KEY", "CLIENT_TIMEOUT", "CLI_NO_COLOR",
    "CLUSTER_ADDR", "CONFIG_PATH", "DETAILED", "DISABLE_REDIRECTS", "DISABLE_SERVER_SIDE_CONSISTENT_TOKENS", "FORMAT", "HEADERS",
    "HTTP_PROXY", "LICENSE", "LICENSE_PATH",
    "LOG_FORMAT", "LOG_LEVEL", "MAX_RETRIES", "MFA", "NAMESPACE", "PROXY_ADDR", "RATE_LIMIT", "REDIRECT_ADDR", "SEAL_TYPE",
    "SKIP_VERIFY", "SRV_LOOKUP", "TLS_SERVER_NAME", "TOKEN", "UI", "WRAP_TTL", "API_ADDR", "UNWRAP_TOKEN", "VERSION",
  ]
  static let theirPrefixes = ["RAFT_", "DEV_", "AWSKMS_", "AZUREKEYVAULT_", "GCPCKMS_", "OCIKMS_", "TRANSIT_", "PKCS11_", "HSM_"]

  @Test("no environment variable that the sources name is one of HashiCorp's")
  func apart() throws {
    var ours: Set<String> = []
    let sources = Repository.root.appending(path: "Sources")
    for case let file as URL in FileManager.default.enumerator(at: sources, includingPropertiesForKeys: nil) ?? .init()
    where file.pathExtension == "swift" {
      let text = try String(contentsOf: file, encoding: .utf8)
      for match in text.matches(of: /"VAULT_([A-Z0-9_]+)/) { ours.insert(String(match.1)) }
    }
    #expect(ours.isSuperset(of: ["HOME", "KEYSTORE", "PASSPHRASE_FILE"]))
    #expect(ours.isDisjoint(with: Self.theirs))
    #expect(ours.filter { name in Self.theirPrefixes.contains { name.hasPrefix($0) } } == [])
  }
}
