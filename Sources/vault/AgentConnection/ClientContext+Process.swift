import CSystem
import VaultModel
import VaultWire

extension ClientContext {
  private static let sessionNames = [
    "PATH", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "XDG_CURRENT_DESKTOP", "BROWSER",
  ]
  private static let maxLength = 8 * 1_024

  /// This process.
  init(_ paths: VaultPaths, commandIndex: Int?) {
    self.init()
    (vaultIdentity, vaultPath, self.commandIndex) = (paths.identity, paths.dataDirectory, commandIndex)
    if let text = variable(profileChainVariable), text.utf8.count <= Self.maxLength {
      chain = text.split(separator: "\n").map { String($0) }
    }
    for name in Self.sessionNames {
      guard let value = variable(name), !value.isEmpty, value.utf8.count <= Self.maxLength else { continue }
      session.append("\(name)=\(value)")
    }
    ForwardedEnvironment.add(to: &environment)
    run = variable(AgentVariables.run).flatMap { $0.isEmpty ? nil : String($0.prefix(64)) }
    agentVariable = AgentVariables.names.first { variable($0)?.isEmpty == false }
  }
}

/// The variables that tell the SDKs where AWS is. The client sends them, since the agent's environment may be outdated.
enum ForwardedEnvironment {
  private static let names: Set<String> = [
    "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "HTTPS_PROXY",
    "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_IAM", "AWS_ENDPOINT_URL_SIGNIN",
    "AWS_ENDPOINT_URL_IAM_TOOLBOX",
    "AWS_ENDPOINT_URL_SSO_ADMIN", "AWS_ENDPOINT_URL_IDENTITYSTORE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
    "VAULT_PASSPHRASE_FILE", "VAULT_PASSPHRASE_FD", "VAULT_KEYSTORE",
  ]

  private static let passphraseFile = "VAULT_PASSPHRASE_FILE"

  /// The path of the passphrase file, made absolute for the agent, whose working folder differs; nil if none is named.
  static var passphraseFileEntry: String? {
    guard let path = variable(passphraseFile), !path.isEmpty else { return nil }
    return "\(passphraseFile)=\((try? absolutePath(path)) ?? path)"
  }

  /// Adds the variables that are set, as they are in the environment.
  static func add(to block: inout EnvironmentBlock) {
    var entry = sys_environment()
    while let variable = entry?.pointee {
      // The possible first letters of the names; this skips most variables.
      switch UInt8(bitPattern: variable.pointee) {
      case UInt8(ascii: "A"), UInt8(ascii: "a"), UInt8(ascii: "H"), UInt8(ascii: "h"), UInt8(ascii: "N"), UInt8(ascii: "n"),
        UInt8(ascii: "V"):
        var text = String(cString: variable)
        guard let equals = text.firstIndex(of: "="), names.contains(String(text[..<equals])) else { break }
        if text[..<equals] == passphraseFile { text = passphraseFileEntry ?? text }
        if !OwnRegion.set(String(text[..<equals]), String(text[text.index(after: equals)...])) { block.append(text) }
      default: break
      }
      entry = entry?.advanced(by: 1)
    }
  }
}
