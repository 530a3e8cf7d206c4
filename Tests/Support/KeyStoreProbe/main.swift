import Glibc
import VaultKeys
import VaultModel
import VaultSecrets

// Does one thing with a key store and ends as the client would, so that a test can kill it, or give it another machine's limits.
//
//   KeyStoreProbe write FOLDER VAULT KEY   stores 32 bytes of 0x5A under the passphrase of the tests, at the least cost
//   KeyStoreProbe remove FOLDER VAULT KEY
//   KeyStoreProbe list VAULT               the keys of the Secret Service on the environment's bus
//   KeyStoreProbe memory                   whether secrets are locked in memory

func finish(_ error: KeyStoreError) -> Never {
  print(error.message)
  exit(error.exitStatus.rawValue)
}

let arguments = CommandLine.arguments
do throws(KeyStoreError) {
  switch (arguments.count, arguments.count > 1 ? arguments[1] : "") {
  case (5, "write"), (5, "remove"):
    guard let id = KeyID(arguments[4]) else { exit(ExitStatus.usage.rawValue) }
    let store = PassphraseKeyStore(vaultId: arguments[3], directory: arguments[2], cost: .floor) { _ in
      SecretBytes("correct horse battery staple")
    }
    if arguments[1] == "remove" {
      try await store.remove(id)
    } else {
      try await store.write(SecretBytes(count: 32) { $0.initializeMemory(as: UInt8.self, repeating: 0x5A) }, as: id)
    }
  case (3, "list"):
    for item in try await SecretServiceKeyStore(vaultId: arguments[2]).list() { print(item) }
  case (2, "memory"): print(ProcessMemory.locksSecrets())
  default: exit(ExitStatus.usage.rawValue)
  }
} catch {
  finish(error)
}
