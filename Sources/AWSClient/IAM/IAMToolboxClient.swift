import AWSPolicy
import VaultModel
import VaultSecrets

/// A client for IAM's access troubleshooter (IAM Toolbox, version 2018-05-10; in preview since November 2026). Retries as described
/// at ``AWSCaller``.
public final class IAMToolboxClient: Sendable {
  /// Each page is limited by the transport.
  static let maxPages = 16

  private let caller: AWSCaller

  /// - Parameter random: from 0 up to 1, for the jitter.
  public init(
    transport: any HTTPTransport, clock: any WallClock, random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) }
  ) {
    caller = AWSCaller(transport: transport, clock: clock, random: random)
  }

  /// How AWS evaluated a request that it refused, page by page. AWS keeps that for a day, in the region of the call.
  ///
  /// - Parameter id: the authorization id of the error message: letters and digits, at most 256.
  /// - Returns: the pages, and the id of the last request.
  public func getRequestAuthorizationDetails(_ id: String, at service: SignedEndpoint) async throws
    -> (pages: [JSONValue], requestId: String?)
  {
    let action = "GetRequestAuthorizationDetails"
    let host = service.endpoint.host
    guard (1...256).contains(id.utf8.count), id.utf8.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) })
    else { throw AWSError(.invalid("the authorization id is not 1 to 256 letters and digits"), action: action, host: host) }
    var pages: [JSONValue] = []
    var next: String?
    for _ in 0..<Self.maxPages {
      var query = FormBody()
      query.add("nextToken", next)
      let request = QueryRequest(
        form: SecretBytes(""), address: service.endpoint.address("/authorization-details/\(id)"),
        signer: QueryRequest.Signer(credential: service.credential, region: service.endpoint.signingRegion, service: "iam"),
        route: service.route, query: query.finish().withBytes { String(decoding: $0, as: UTF8.self) })
      let answer = try await caller.call(AWSCall(action: action, host: host, request: request.request(at:)), .text)
      let page = try answer.read { bytes throws(MalformedResponse) in
        guard let page = try? JSONText(bytes.withBytes { Array($0) }).value, page["evaluations"]?.array != nil else {
          throw MalformedResponse(what: "no evaluations in it")
        }
        let token = page["nextToken"]?.string.flatMap { $0.isEmpty ? nil : $0 }
        guard token == nil || token != next, (token?.utf8.count ?? 0) <= 16_384 else {
          throw MalformedResponse(what: "an invalid pagination token")
        }
        next = token
        return page
      }
      pages.append(page)
      if next == nil { return (pages, answer.requestId) }
    }
    throw AWSError(.malformedResponse("more than \(Self.maxPages) pages"), action: action, host: host)
  }
}
