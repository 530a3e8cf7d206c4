import CCurl
import Glibc
import Synchronization
import VaultBytes
import VaultConcurrency
import VaultModel
import VaultSecrets

// Only this file and CurlURL.swift call libcurl.

/// Initializes libcurl once, before its first handle.
private let curlIsReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

/// HTTP with libcurl: at most 8 concurrent transfers, one thread each; connections are kept for reuse.
///
/// TLS is verified, with version 1.2 or later. Redirects are not followed. Nothing is taken from the process environment. A
/// response has at most 256 KiB.
public final class CurlTransport: HTTPTransport {
  /// Time limits for connecting and for the whole transfer, in milliseconds.
  public struct Limits: Sendable {
    public var connect: Int
    public var total: Int
    public static let `default` = Limits(connect: 3_000, total: 10_000)

    public init(connect: Int, total: Int) {
      self.connect = connect
      self.total = total
    }
  }

  private let limits: Limits
  /// One transfer per thread.
  private let transfers = BlockingQueue(width: 8)
  private let idle = Mutex<[EasyHandle]>([])

  public init(limits: Limits = .default) { self.limits = limits }

  public func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
    guard let address = WebAddress(request.url) else { throw .badURL(request.url) }
    guard address.scheme == "https" || address.isLoopback || request.isPlainAllowed else { throw .insecure(host: address.host) }
    // A route that was allowed for one endpoint leads to no other.
    if let route = request.route, route.origin != address.origin { throw .badURL(address.origin) }
    if request.route?.proxies.isInvalid == true { throw .badProxy }
    guard Self.isPlain(request) else { throw .badRequest(host: address.host) }
    guard curlIsReady else { throw .cannotStart }
    let transfer = Transfer(request: request, address: address, limits: limits)
    let result = await withTaskCancellationHandler {
      await transfers.run { [self] in
        let handle = idle.withLock { $0.popLast() } ?? EasyHandle()
        defer { idle.withLock { $0.append(handle) } }
        return transfer.perform(on: handle)
      }
    } onCancel: {
      transfer.cancel()
    }
    return try result.get()
  }

  /// Whether nothing in the request could begin a line of its own in what is sent.
  private static func isPlain(_ request: HTTPRequest) -> Bool {
    func isOneLine(_ text: String) -> Bool { text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }
    let isPlainQuery = request.query?.withBytes { $0.count <= 32_768 && $0.allSatisfy { (33...126).contains($0) && $0 != 0x23 } }
    return isPlainQuery ?? true && isOneLine(request.method)
      && request.headers.allSatisfy { isOneLine($0.name) && isOneLine($0.value) }
  }
}

/// A libcurl handle with the connections that it keeps.
///
/// `@unchecked Sendable`: it is in the idle list or in one transfer, never in both.
private final class EasyHandle: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer?

  init() { pointer = curl_easy_init() }
  deinit { curl_easy_cleanup(pointer) }
}

/// One request in progress.
///
/// `@unchecked Sendable`: apart from the atomic flag, only the thread that performs it touches it.
private final class Transfer: @unchecked Sendable {
  static let maxBodyBytes = 256 << 10
  static let maxHeaderBytes = 64 << 10

  private let request: HTTPRequest
  private let address: WebAddress
  private let limits: CurlTransport.Limits
  private let isCancelled = Atomic(false)
  private let body = UnsafeMutableRawBufferPointer.allocate(byteCount: Transfer.maxBodyBytes, alignment: 16)
  private var length = 0
  private var headerBytes = 0
  private var headers: [(name: String, value: String)] = []
  private var isTooLarge = false

  init(request: HTTPRequest, address: WebAddress, limits: CurlTransport.Limits) {
    self.request = request
    self.address = address
    self.limits = limits
  }

  deinit {
    wipe(UnsafeMutableRawBufferPointer(rebasing: body[..<length]))
    body.deallocate()
  }

  func cancel() { isCancelled.store(true, ordering: .relaxed) }

  func perform(on easy: EasyHandle) -> Result<HTTPResponse, TransportError> {
    guard !isCancelled.load(ordering: .relaxed) else { return .failure(.cancelled) }
    guard let handle = easy.pointer else { return .failure(.cannotStart) }
    // Before and after: an idle handle keeps connections, but no pointer into a finished transfer.
    curl_easy_reset(handle)
    defer { curl_easy_reset(handle) }
    var list: UnsafeMutablePointer<curl_slist>?
    for header in request.headers { list = curl_slist_append(list, "\(header.name): \(header.value)") }
    // No `Expect: 100-continue`, which costs a second with servers that do not support it.
    list = curl_slist_append(list, "Expect:")
    defer { curl_slist_free_all(list) }
    if let certificates = request.route?.certificates {
      do throws(CertificateBundle.Problem) { try trust(certificates, handle) } catch {
        return .failure(.certificates(error))
      }
    }
    let code = request.body.withBytes { bytes in
      configure(handle, headers: list, body: bytes)
      return curl_easy_perform(handle)
    }
    if isTooLarge { return .failure(.tooLarge(host: address.host)) }
    guard code == CURLE_OK else { return .failure(error(code, connectStatus: vault_curl_connect_code(handle))) }
    let answer = SecretBytes(copying: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(body)[..<length]))
    return .success(HTTPResponse(status: Int(vault_curl_response_code(handle)), headers: headers, body: answer))
  }

  private func configure(
    _ handle: UnsafeMutableRawPointer, headers list: UnsafeMutablePointer<curl_slist>?, body bytes: UnsafeRawBufferPointer
  ) {
    let me = Unmanaged.passUnretained(self).toOpaque()
    setURL(handle)
    vault_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https")
    vault_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0)
    vault_curl_set_long(handle, CURLOPT_NOSIGNAL, 1)
    vault_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1)
    vault_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2)
    vault_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
    vault_curl_set_long(handle, CURLOPT_CONNECTTIMEOUT_MS, min(limits.connect, request.timeout ?? limits.connect))
    vault_curl_set_long(handle, CURLOPT_TIMEOUT_MS, request.timeout ?? limits.total)
    vault_curl_set_long(handle, CURLOPT_MAXAGE_CONN, 60)
    vault_curl_set_text(handle, CURLOPT_USERAGENT, "vault/\(vaultVersion)")
    // An empty string means no proxy; without it libcurl would read the environment.
    vault_curl_set_text(handle, CURLOPT_PROXY, request.route?.proxies.proxy ?? "")
    vault_curl_set_text(handle, CURLOPT_NOPROXY, request.route?.proxies.exceptions ?? "")
    vault_curl_set_list(handle, CURLOPT_HTTPHEADER, list)
    if request.method == "GET" {
      vault_curl_set_long(handle, CURLOPT_HTTPGET, 1)
    } else {
      vault_curl_set_long(handle, CURLOPT_POST, 1)
      vault_curl_set_long(handle, CURLOPT_POSTFIELDSIZE, bytes.count)
      vault_curl_set_pointer(
        handle, CURLOPT_POSTFIELDS, bytes.isEmpty ? nil : UnsafeMutableRawPointer(mutating: bytes.baseAddress))
      if request.method != "POST" { vault_curl_set_text(handle, CURLOPT_CUSTOMREQUEST, request.method) }
    }
    vault_curl_set_pointer(handle, CURLOPT_WRITEDATA, me)
    vault_curl_set_write(handle, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().receive(
        UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    vault_curl_set_pointer(handle, CURLOPT_HEADERDATA, me)
    vault_curl_set_write(handle, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().consumeHeader(
        UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    vault_curl_set_long(handle, CURLOPT_NOPROGRESS, 0)
    vault_curl_set_pointer(handle, CURLOPT_XFERINFODATA, me)
    vault_curl_set_progress(handle) { context, _, _, _, _ in
      guard let context else { return 1 }
      return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().isCancelled.load(ordering: .relaxed) ? 1 : 0
    }
  }

  /// Trusts only these certificates: libcurl then reads no file or folder of the system.
  private func trust(_ bundle: CertificateBundle, _ handle: UnsafeMutableRawPointer) throws(CertificateBundle.Problem) {
    let code = bundle.bytes.withUnsafeBytes { vault_curl_set_bytes(handle, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count) }
    guard code == CURLE_OK else {
      throw .cannotRead(path: bundle.path, why: "libcurl does not accept them (\(String(cString: curl_easy_strerror(code))))")
    }
    vault_curl_set_text(handle, CURLOPT_CAINFO, nil)
    vault_curl_set_text(handle, CURLOPT_CAPATH, nil)
  }

  /// libcurl copies its arguments, and frees the copies when the handle is next reset.
  private func setURL(_ handle: UnsafeMutableRawPointer) {
    guard let query = request.query else {
      vault_curl_set_text(handle, CURLOPT_URL, address.text)
      return
    }
    var url = ByteBuffer(capacity: address.text.utf8.count + query.count + 2, isWiped: true)
    url.append(string: address.text)
    url.append(UInt8(ascii: "?"))
    query.withBytes { url.append($0) }
    url.append(0)
    url.withBytes { bytes in
      if let start = bytes.baseAddress { vault_curl_set_text(handle, CURLOPT_URL, start.assumingMemoryBound(to: CChar.self)) }
    }
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard length + bytes.count <= Self.maxBodyBytes else {
      isTooLarge = true
      return 0
    }
    UnsafeMutableRawBufferPointer(rebasing: body[length..<length + bytes.count]).copyMemory(from: bytes)
    length += bytes.count
    return bytes.count
  }

  private func consumeHeader(_ bytes: UnsafeRawBufferPointer) -> Int {
    headerBytes += bytes.count
    guard headerBytes <= Self.maxHeaderBytes else {
      isTooLarge = true
      return 0
    }
    // A new status line begins the headers of the final response (after a 100, or a proxy's own).
    if bytes.starts(with: Array("HTTP/".utf8)) { headers.removeAll() }
    guard let colon = bytes.firstIndex(of: 0x3A) else { return bytes.count }
    let name = String(decoding: bytes[..<colon], as: UTF8.self).lowercased()
    var value = String(decoding: bytes[(colon + 1)...], as: UTF8.self)[...]
    while let first = value.first, first == " " || first == "\t" { value.removeFirst() }
    while let last = value.last, last.isNewline || last == " " || last == "\t" { value.removeLast() }
    headers.append((name, String(value)))
    return bytes.count
  }

  /// - Parameter connectStatus: the proxy's answer to the last CONNECT; 0 without one.
  private func error(_ code: CURLcode, connectStatus: Int) -> TransportError {
    if connectStatus >= 400, let proxy = request.route?.proxies.display {
      return .refusedByProxy(proxy, host: address.host, status: connectStatus)
    }
    let why = String(cString: curl_easy_strerror(code))
    switch code {
    case CURLE_ABORTED_BY_CALLBACK: return .cancelled
    // (CURLE_UNSUPPORTED_PROTOCOL is not among these: since the scheme was checked, it means that the response is not HTTP.)
    case CURLE_URL_MALFORMAT: return .badURL(request.url)
    case CURLE_COULDNT_RESOLVE_HOST: return .resolve(host: address.host)
    case CURLE_COULDNT_RESOLVE_PROXY: return .resolve(host: "of the proxy")
    case CURLE_COULDNT_CONNECT: return .connect(host: address.host)
    case CURLE_OPERATION_TIMEDOUT: return .timedOut(host: address.host)
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM,
      CURLE_SSL_ISSUER_ERROR:
      return .tls(host: address.host, why: why)
    default: return .cut(host: address.host, why: why)
    }
  }
}
