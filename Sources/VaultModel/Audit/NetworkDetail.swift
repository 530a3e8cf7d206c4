/// By which way a call went that was not AWS's own, as a row's `detail` says it: `…; via proxy URL, certificates PATH`.
public struct NetworkDetail: Sendable, Hashable {
  /// Without a name and a password.
  public var proxy: String?
  /// The file of certificates that took the place of the system's.
  public var caBundle: String?

  public init?(proxy: String?, caBundle: String?) {
    guard proxy != nil || caBundle != nil else { return nil }
    self.proxy = proxy
    self.caBundle = caBundle
  }

  public var text: String {
    "via " + [proxy.map { "proxy \($0)" }, caBundle.map { "certificates \($0)" }].compactMap { $0 }.joined(separator: ", ")
  }

  /// - Returns: nil for a detail that says nothing of the way.
  init?(detail: String) {
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
  /// Nil where a call went AWS's own way, or none was made.
  public var network: NetworkDetail? { detail.flatMap { NetworkDetail(detail: $0) } }
}
