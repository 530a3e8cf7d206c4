import Foundation
import TestSupport
import VaultModel
import VaultSecrets

@testable import AWSClient

/// A script for the network and a clock that jumps, for the clients of all services; the clock stands at 2026-11-23T12:00:00Z.
struct ScriptedService {
  let transport: ScriptedTransport
  let clock = JumpingClock()
  let credential = Credential(
    accessKeyId: "AKIAEXAMPLEEXAMPLE00", secretAccessKey: SecretBytes("a secret"), sessionToken: SecretBytes("the+token"),
    expiresAt: nil)
  let route = ScriptedSTS.route

  init(_ steps: [ScriptedTransport.Step]) { transport = ScriptedTransport(steps) }

  var oidc: SSOOIDCClient { SSOOIDCClient(transport: transport, clock: clock, random: { 0.5 }) }
  var portal: SSOPortalClient { SSOPortalClient(transport: transport, clock: clock, random: { 0.5 }) }
  var iam: IAMClient { IAMClient(transport: transport, clock: clock, random: { 0.5 }) }
  var ssoAdmin: SSOAdminClient { SSOAdminClient(transport: transport, clock: clock, random: { 0.5 }) }
  var iamToolbox: IAMToolboxClient { IAMToolboxClient(transport: transport, clock: clock, random: { 0.5 }) }
  var sts: STSClient { STSClient(transport: transport, clock: clock, random: { 0.5 }) }
  var container: ContainerCredentialsClient { ContainerCredentialsClient(transport: transport, clock: clock, random: { 0.5 }) }
  var instance: InstanceMetadataClient { InstanceMetadataClient(transport: transport, clock: clock, random: { 0.5 }) }
  var signIn: SignInClient { SignInClient(transport: transport, clock: clock, random: { 0.5 }) }

  static func endpoint(_ service: AWSService, _ region: String = "eu-west-1") throws -> ServiceEndpoint {
    try ServiceEndpoint(service, region: region, settings: EndpointSettings())
  }

  /// The script's credentials at a service's own endpoint.
  func signed(_ service: AWSService) throws -> SignedEndpoint {
    SignedEndpoint(try Self.endpoint(service), signedBy: credential, via: route)
  }

  func header(_ name: String, _ index: Int = 0) -> String? {
    transport.requests[index].headers.first { $0.name.lowercased() == name.lowercased() }?.value
  }
}

extension SecretBytes {
  /// The bytes as a text, which only tests may want.
  var revealed: String { withBytes { String(decoding: $0, as: UTF8.self) } }
}

extension HTTPRequest {
  /// As it goes over the wire.
  var wholeURL: String { url + (query.map { "?" + $0.revealed } ?? "") }
}

/// The error of one kind with which something ends; nil for another or none.
func failure<Failure: Error>(_ type: Failure.Type, _ body: () async throws -> Void) async -> Failure? {
  do {
    try await body()
    return nil
  } catch {
    return error as? Failure
  }
}

extension ScriptedTransport.Step {
  static func json(_ body: String, status: Int = 200) -> ScriptedTransport.Step { .answer(status: status, body: body) }

  /// An error as Identity Center's sign-in sends it.
  static func oauth(_ error: String, status: Int = 400, text: String = "") -> ScriptedTransport.Step {
    .answer(
      status: status, body: #"{"error":"\#(error)","error_description":"\#(text)"}"#,
      headers: [("x-amzn-requestid", "req-\(error)")])
  }

  /// An error as Amazon's JSON services send it.
  static func exception(_ type: String, status: Int, text: String = "") -> ScriptedTransport.Step {
    .answer(
      status: status, body: #"{"message":"\#(text)","__type":"com.amazonaws.x#\#(type)"}"#,
      headers: [("x-amzn-errortype", "\(type):http://internal.amazon.com/"), ("x-amzn-requestid", "req-\(type)")])
  }
}
