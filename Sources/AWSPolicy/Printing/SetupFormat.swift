import VaultModel

/// A format in which a setup is printed.
public enum SetupFormat: String, Sendable, CaseIterable {
  case terraform, cloudformation, script, json
}

extension RoleSetup {
  /// The whole setup as text, with a line break at its end.
  ///
  /// - Throws: bad data, if the format cannot say what the setup says.
  public func text(_ format: SetupFormat) throws(Failure) -> String {
    switch format {
    case .json: json.pretty() + "\n"
    case .script: script
    case .terraform: terraform
    case .cloudformation: try cloudFormation()
    }
  }
}
