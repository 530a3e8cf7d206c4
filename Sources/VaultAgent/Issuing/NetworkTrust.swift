import AWSClient
import AWSConfig
import VaultModel
import VaultSecrets
import VaultStore

/// Decides where the vault may send secrets: to AWS's own endpoints, and to places that the vault's settings or the person's AWS
/// files name.
///
/// The settings are read again for each decision, so that a withdrawn trust ends at once.
struct NetworkTrust: Sendable {
  /// In the order in which they are read; a place that any of them trusts is trusted.
  let settingsFiles: [String]
  /// Logs each new trust; nil for parts that are tested without a store.
  let store: VaultStore?

  /// Trusts only AWS's own endpoints and places that a file names.
  static let `default` = NetworkTrust(settingsFiles: [], store: nil)

  /// The requester, and the settings in their environment.
  struct Context: Sendable {
    let requester: Requester
    let trigger: AuditTrigger
    let environment: [String: String]
    let prompter: any Prompter
  }

  /// The route to a place. If only the requester's environment names it, the person is asked, once for all.
  ///
  /// - Parameter what: the secret that would be sent: `your sign-in's token`.
  /// - Throws: `UntrustedPlace` if the person does not agree, or nobody is there.
  func route(to place: some NetworkPlace, _ settings: EndpointSettings, sending what: String, for context: Context) async throws
    -> NetworkSettings
  {
    do {
      return try await decide(place, settings, for: context)
    } catch let untrusted as UntrustedPlace {
      do { _ = try await context.prompter.ask(.trust(untrusted, sending: what)) } catch is CancellationError {
        throw CancellationError()
      } catch {
        throw untrusted
      }
      // The current settings decide, not the answer.
      return try await decide(place, settings, for: context)
    }
  }

  private func decide(_ place: some NetworkPlace, _ settings: EndpointSettings, for context: Context) async throws
    -> NetworkSettings
  {
    let values = try AgentSettings.trust(of: settingsFiles)
    let trusted = TrustedPlaces(endpoints: values.endpoints, digests: values.digests, caBundle: values.caBundle)
    let route = try trusted.route(to: place, settings, proxies: ProxySettings { context.environment[$0] })
    if !place.isAWS || route.certificates != nil {
      var logged = values.logged
      if !place.isAWS, settings.urlVariable == nil {
        logged.append(("endpoint \(route.origin)", "named by an AWS file or a profile", ""))
      }
      try await store?.recordSettings(logged, requester: context.requester, trigger: context.trigger)
    }
    return route
  }
}

extension AgentSettings {
  /// The places that the files trust, each list joined over all files.
  struct Trust {
    var endpoints = ""
    var digests = ""
    var caBundle: String?

    /// For the audit log: each setting's name, its value, and its default.
    var logged: [(name: String, value: String, defaultValue: String)] {
      [
        (OwnSetting.trustedEndpoints.name, endpoints, ""), (OwnSetting.trustedCABundles.name, digests, ""),
        (OwnSetting.caBundle.name, caBundle ?? "", ""),
      ]
    }
  }

  /// - Throws: `ConfigError` for a file that cannot be parsed.
  static func trust(of files: [String]) throws -> Trust {
    var trust = Trust()
    for file in files {
      let values = try SharedConfig.ownSettings(of: [file])
      func joined(_ list: String, _ setting: OwnSetting) -> String {
        [list, values[setting.name]?.text ?? ""].filter { !$0.isEmpty }.joined(separator: " ")
      }
      trust.endpoints = joined(trust.endpoints, .trustedEndpoints)
      trust.digests = joined(trust.digests, .trustedCABundles)
      if let path = values[OwnSetting.caBundle.name]?.text, !path.isEmpty { trust.caBundle = path }
    }
    return trust
  }
}
