import VaultModel
import VaultSecrets

/// The endpoint of a service, the route to it, and the credentials that sign the calls.
public struct SignedEndpoint: Sendable {
  public let credential: Credential
  public let endpoint: ServiceEndpoint
  public let route: NetworkSettings

  public init(_ endpoint: ServiceEndpoint, signedBy credential: Credential, via route: NetworkSettings) {
    self.credential = credential
    self.endpoint = endpoint
    self.route = route
  }

  /// A call to the service, signed for its name.
  ///
  /// - Parameter target: the operation of a call in JSON; nil for a form.
  func call(_ action: String, _ body: SecretBytes, service: String, target: String? = nil) -> AWSCall {
    let request = QueryRequest(
      form: body, address: endpoint.address,
      signer: QueryRequest.Signer(credential: credential, region: endpoint.signingRegion, service: service), route: route,
      target: target)
    return AWSCall(action: action, host: endpoint.host, request: request.request(at:))
  }
}
