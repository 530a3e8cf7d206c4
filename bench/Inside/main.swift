import Foundation
import VaultDatabase
import VaultModel
import VaultSecrets
import VaultStore

// Figures that no command can be timed for; a JSON object a line (bench/figures.py, `inside`).

/// CPU of this process so far, in seconds.
func cpu() -> Double {
  var usage = rusage()
  getrusage(RUSAGE_SELF.rawValue, &usage)
  func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
  return seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

func say(_ name: String, _ value: Double, _ unit: String, _ bound: String, _ limit: Double) {
  print(#"{"name": "\#(name)", "value": \#(value), "unit": "\#(unit)", "\#(bound)": \#(limit)}"#)
}

let me = Requester(
  user: "alice", uid: 1_000, pid: 42, program: "./run", executable: "/usr/bin/vault", directory: "/home/alice/app",
  parent: "/bin/sh", host: "laptop")
let folder = FileManager.default.temporaryDirectory.appendingPathComponent("vault-inside-\(getpid())").path
try FileManager.default.createDirectory(
  atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
defer { try? FileManager.default.removeItem(atPath: folder) }
umask(0o077)

if CommandLine.arguments.dropFirst() == ["bare-endpoint"] {
  serveBare()
  exit(0)
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "bare-agent" {
  try serveAsAgent(at: CommandLine.arguments[2])
  exit(0)
}

// MARK: sealing

let seals = SealTrial()
let count = 100_000
let before = cpu()
for number in 0..<count { precondition(seals.sealAndOpen(number)) }
say("credentials sealed and opened a second, one core", Double(count) / (cpu() - before), "/s", "least", 200_000)

// MARK: a session with its rows

let clock = SystemClock()
let store = try await VaultStore(path: folder + "/vault.db", clock: clock, host: me)
try await store.create(key: SecretBytes.random(count: 32), id: KeyID.random(), store: "passphrase", requester: me)
try await store.resumeAudit(anchoredCheckpoint: nil, requester: me)
try await store.putProfiles([("app", [], ProfileSummary(name: "app", kind: .assumeRole))], requester: me)
let secret = SecretBytes("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
let token = SecretBytes(String(repeating: "IQoJb3JpZ2luX2Vj", count: 40))
func event(_ action: AuditAction) -> AuditEvent {
  AuditEvent(action: action, outcome: .success, trigger: .exec, profile: "app", requester: me)
}
let sessions = 2_000
var spent = cpu()
for number in 0..<sessions {
  let now = clock.now()
  let key = "ASIA" + String(1_000_000_000_000_000 + number)
  let session = SessionRecord(
    id: Identifier.make("ses"), profile: "app", kind: .role, fingerprint: "f\(number)",
    roleARN: "arn:aws:iam::123456789012:role/app", roleSessionName: "alice@laptop", sourceIdentity: nil, accessKeyId: key,
    issuedAt: now, expiresAt: now.adding(seconds: 3_600))
  let intent = try await store.begin(event(.assumeRole))
  try await store.complete(
    intent, session: session,
    credential: Credential(accessKeyId: key, secretAccessKey: secret, sessionToken: token, expiresAt: session.expiresAt),
    event: event(.assumeRole))
}
say("CPU of a committed session with its audit rows", (cpu() - spent) / Double(sessions) * 1_000, "ms", "most", 1)

// MARK: rows

// What a row costs beside its commit: a transaction of many, and one of none.
let rows = 20_000
spent = cpu()
try await store.record(Array(repeating: event(.locked), count: rows))
say("CPU of an audit row, beside the commit", (cpu() - spent) / Double(rows) * 1e6, "µs", "most", 50)
try await store.close()
