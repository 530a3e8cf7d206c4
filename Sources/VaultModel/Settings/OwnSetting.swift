/// A setting of the vault itself: changed by `vault config`, followed by the agent.
public struct OwnSetting: Sendable {
  public let name: String
  /// The default value.
  public let defaultValue: String
  /// The allowed values, in words.
  public let values: String
  public let help: String
  /// Whether a running agent applies a new value at once, rather than after its next start.
  public let isLive: Bool
  private let check: @Sendable (String) -> Bool

  /// Whether the requester's environment may set it: not if it decides who is sent a secret.
  public let hasVariable: Bool
  /// The variable that takes precedence over the files; nil if there is none.
  public var variable: String? { hasVariable ? "VAULT_" + name.uppercased() : nil }

  public func isValid(_ value: String) -> Bool { check(value) }

  private init(
    _ name: String, defaultValue: String, values: String, help: String, isLive: Bool = false,
    hasVariable: Bool = true, check: @escaping @Sendable (String) -> Bool
  ) {
    self.name = name
    self.defaultValue = defaultValue
    self.values = values
    self.help = help
    self.isLive = isLive
    self.hasVariable = hasVariable
    self.check = check
  }

  private static func choice(_ name: String, values: [String], help: String, isLive: Bool = false, hasVariable: Bool = true)
    -> OwnSetting
  {
    OwnSetting(
      name, defaultValue: values[0], values: "one of " + values.joined(separator: ", "), help: help, isLive: isLive,
      hasVariable: hasVariable
    ) { values.contains($0) }
  }

  public static let keyStore = choice(
    "keystore", values: ["secret-service", "passphrase", "ephemeral"], help: "where a new vault's master key is stored")
  public static let agentLife = choice(
    "agent_life", values: ["login", "programs"], help: "whether the agent ends with the last program it served")
  public static let auditJournald = OwnSetting(
    "audit_journald", defaultValue: "off", values: "on, off, or the path of a journald socket",
    help: "whether every audit row is sent to the journal", isLive: true, hasVariable: false
  ) { $0 == "off" || JournalAddress($0) != nil }
  public static let auditSyslog = OwnSetting(
    "audit_syslog", defaultValue: "off", values: "off, unix:/dev/log, udp://HOST[:514] or tcp://HOST[:601]",
    help: "a syslog receiver that gets every audit row (RFC 5424)", isLive: true, hasVariable: false
  ) { $0 == "off" || SyslogAddress($0) != nil }
  public static let auditFailure = choice(
    "audit_failure", values: ["refuse", "deliver"],
    help: "hand out cached sessions while audit rows cannot be written; the rows are written later", isLive: true,
    hasVariable: false)

  public static let auditShipTo = OwnSetting(
    "audit_ship_to", defaultValue: "", values: "postgresql://USER@HOST/DATABASE; put the password in ~/.pgpass, never here",
    help: "the team's PostgreSQL, for `vault audit ship`", isLive: true
  ) { TeamAddress.fault(in: $0) == nil }

  public static let auditPassfile = OwnSetting(
    "audit_passfile", defaultValue: "", values: "the absolute path of a password file in the format of ~/.pgpass",
    help: "the file with the password for the team's PostgreSQL, if not ~/.pgpass", isLive: true,
    hasVariable: false
  ) { $0.hasPrefix("/") }
  public static let auditServiceFile = OwnSetting(
    "audit_service_file", defaultValue: "", values: "the absolute path of a service file in the format of ~/.pg_service.conf",
    help: "the file with the services that an address may name (service=)", isLive: true,
    hasVariable: false
  ) { $0.hasPrefix("/") }

  public static let trustedEndpoints = OwnSetting(
    "trusted_endpoints", defaultValue: "",
    values: "URLs or host patterns, separated by spaces: http://127.0.0.1:4566 https://*.vpce.amazonaws.com",
    help: "endpoints besides AWS's own to which credentials may be sent", isLive: true, hasVariable: false
  ) { text in
    text.split(separator: " ").allSatisfy {
      // The team's server may be listed too (docs/team-audit.md).
      TrustedEndpoint(String($0)) != nil || $0.hasPrefix("postgresql://")
    }
  }
  public static let caBundle = OwnSetting(
    "ca_bundle", defaultValue: "", values: "the absolute path of a PEM file",
    help: "the certificates to trust instead of the system's", isLive: true, hasVariable: false
  ) { $0.isEmpty || $0.hasPrefix("/") }
  public static let trustedCABundles = OwnSetting(
    "trusted_ca_bundles", defaultValue: "", values: "SHA-256 digests, separated by spaces: sha256:9f86d0…",
    help: "the certificate files that AWS_CA_BUNDLE may name", isLive: true, hasVariable: false
  ) { text in
    text.split(separator: " ").allSatisfy {
      $0.hasPrefix("sha256:") && $0.utf8.count == 71 && $0.dropFirst(7).allSatisfy(\.isHexDigit)
    }
  }

  public static let lockAfter = OwnSetting(
    "lock_after", defaultValue: "never", values: "never, 12h, 15m idle, or both: 15m idle 12h",
    help: "when the agent forgets the master key automatically", isLive: true, hasVariable: false
  ) { LockRule($0) != nil }
  public static let lockOn = OwnSetting(
    "lock_on", defaultValue: "none", values: "none, or any of screen, suspend, logout",
    help: "the desktop events that make the agent forget the master key", isLive: true, hasVariable: false
  ) { LockEvents($0) != nil }

  public static let loginBus = OwnSetting(
    "login_bus", defaultValue: "unix:path=/run/dbus/system_bus_socket", values: "a D-Bus address",
    help: "the login manager's bus, for lock_on", isLive: true, hasVariable: false
  ) { $0.hasPrefix("unix:") }

  /// Settings whose values are lists, separated by blanks.
  public static let lists: Set<String> = [trustedEndpoints.name, trustedCABundles.name]
  /// Settings that decide who is sent secrets.
  public static let decidingTrust: Set<String> = [trustedEndpoints.name, caBundle.name, trustedCABundles.name]

  /// In display order.
  public static let all = [
    lockAfter, lockOn, loginBus, trustedEndpoints, caBundle, trustedCABundles, keyStore, agentLife, auditJournald, auditSyslog,
    auditFailure, auditShipTo, auditPassfile, auditServiceFile,
  ]
}
