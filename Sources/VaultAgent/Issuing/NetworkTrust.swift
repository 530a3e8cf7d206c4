import AWSClient
import AWSConfig
import VaultModel
import VaultSecrets
import VaultStore

/// Decides where the vault may send what it holds: to AWS's own endpoints, and to what the vault's settings or the person's AWS files name.
///
/// The settings are read anew at each decision, so that what a person takes back is taken back at once.
struct NetworkTrust: Sendable {
  /// In the order in which they are read; what any of them trusts is trusted.
  let settingsFiles: [String]
  /// Logs each new trust; nil for parts that are tested without a store.
  let store: VaultStore?

  /// Nothing but AWS's own and what a file names.
  static let standard = NetworkTrust(settingsFiles: [], store: nil)

  /// Who asks, and what their environment wishes.
  struct Context: Sendable {
    let requester: Requester
    let trigger: AuditTrigger
    let environment: [String: String]
    let prompter: any Prompter
  }

  /// The way to a place. Where only the asker's environment names it, the person is asked, once for all.
  ///
  /// - Parameter what: what would be sent: `your sign-in's token`.
  /// - Throws: `UntrustedPlace` where the person does not agree, or nobody is there.
  func route(to place: some NetworkPlace, _ settings: EndpointSettings, sending what: String, for context: Context) async throws
    -> NetworkSettings
  {
    do {
      return try await decide(place, settings, context)
    } catch let untrusted as UntrustedPlace {
      do { _ = try await context.prompter.ask(.trust(untrusted, sending: what)) } catch is CancellationError {
        throw CancellationError()
      } catch {
        throw untrusted
      }
      // What counts is what the settings say now, and not the answer.
      return try await decide(place, settings, context)
    }
  }

  private func decide(_ place: some NetworkPlace, _ settings: EndpointSettings, _ context: Context) async throws
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
  /// What the files trust, each list joined over all of them.
  struct Trust {
    var endpoints = ""
    var digests = ""
    var caBundle: String?

    /// For the audit log: each setting's name, its value, and what it is where nobody set one.
    var logged: [(name: String, value: String, standard: String)] {
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
