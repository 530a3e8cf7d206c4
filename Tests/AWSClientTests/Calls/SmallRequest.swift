import VaultModel
import VaultSecrets

@testable import AWSClient

/// A small request, of which a test changes what it is about.
func request(_ url: String, method: String = "POST", body: String = "a=b", proxy: String? = nil) -> HTTPRequest {
  var request = HTTPRequest(method: method, url: url, headers: [("X-Test", "one")], body: SecretBytes(body))
  if let proxy, let address = WebAddress(url) {
    request.route = NetworkSettings(to: address, proxies: ProxySettings { ["HTTPS_PROXY": proxy][$0] }, certificates: nil)
  }
  return request
}

/// The error with which a request ends.
func failure(_ request: HTTPRequest, by transport: CurlTransport = CurlTransport()) async -> TransportError? {
  do throws(TransportError) {
    _ = try await transport.send(request)
    return nil
  } catch {
    return error
  }
}
