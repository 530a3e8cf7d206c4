/// The network path of a call where it was not the default one, as a row's `detail` has it: `…; via proxy URL, certificates PATH`.
public struct NetworkDetail: Sendable, Hashable {
  /// Without user name and password.
  public var proxy: String?
  /// The certificate file used instead of the system's.
  public var caBundle: String?

  public init?(proxy: String?, caBundle: String?) {
    guard proxy != nil || caBundle != nil else { return nil }
    self.proxy = proxy
    self.caBundle = caBundle
  }

  public var text: String {
    "via " + [proxy.map { "proxy \($0)" }, caBundle.map { "certificates \($0)" }].compactMap { $0 }.joined(separator: ", ")
  }

  /// - Returns: nil for a detail that does not mention the network path.
  public init?(detail: String) {
    guard let way = detail.split(separator: ";").map({ $0.trimmingPrefix(" ") }).last, way.hasPrefix("via ") else { return nil }
    var proxy: String?
    var caBundle: String?
    for part in way.dropFirst(4).split(separator: ",").map({ $0.trimmingPrefix(" ") }) {
      if part.hasPrefix("proxy ") { proxy = String(part.dropFirst(6)) }
      if part.hasPrefix("certificates ") { caBundle = String(part.dropFirst(13)) }
    }
    self.init(proxy: proxy, caBundle: caBundle)
  }
}

extension AuditEvent {
  /// Nil if the call took the default path, or no call was made.
  public var network: NetworkDetail? { detail.flatMap { NetworkDetail(detail: $0) } }
}
