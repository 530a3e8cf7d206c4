import AWSConfig
import VaultBytes
import VaultDatabase
import VaultModel

/// What to type after an import: a first command for a profile that gives credentials.
enum ImportNext {
  static func tell(_ paths: VaultPaths) throws {
    let reader = try VaultReader(path: paths.database)
    var best: (rank: Int, name: String)?
    try reader.forEachProfile { row in
      guard row.problem == nil, let kind = row.kind else { return }
      let rank = kind == .assumeRole ? 0 : kind == .keys ? 2 : 1
      if best.map({ rank < $0.rank }) ?? true { best = (rank, row.name) }
    }
    guard let best else { return }
    let resolver = ChainResolver(lookup: { kind, name in try? reader.section(kind, name) }, environment: variable)
    if let place = try? resolver.chain(for: best.name).identity.signIn,
      !(try reader.signIns().contains { $0.name == place.name })
    {
      NextStep.tell("vault login \(ShellText.word(place.name))")
      return NextStep.tell(NextStep.exec(best.name), when: "then")
    }
    NextStep.tell(NextStep.exec(best.name))
  }
}
