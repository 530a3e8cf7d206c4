import Foundation
import TestSupport
import Testing
import VaultBytes

extension GeneratedLog {
  /// Rows that follow a vault's last one by all that the server can see, in the right form and with the right hashes: SQL.
  func forged(rows: Int, time: Int64? = nil) async throws -> String {
    let script = """
      import hashlib, sqlite3, sys
      sys.path.insert(0, sys.argv[1])
      import audit_log
      database = sqlite3.connect(sys.argv[2])
      columns = [row[1] for row in database.execute("PRAGMA table_info(audit_event)")]
      last = dict(zip(columns, database.execute("SELECT * FROM audit_event WHERE action = 'Deliver' ORDER BY sequence DESC").fetchone()))
      (sequence, head) = database.execute("SELECT sequence, hash FROM audit_event ORDER BY sequence DESC").fetchone()
      (vault,) = database.execute("SELECT id FROM vault").fetchone()
      for number in range(int(sys.argv[3])):
          sequence += 1
          last.update(sequence=sequence, id=f"evt_forged-{sequence}", program="forged")
          if sys.argv[4] != "-": last["time"] = int(sys.argv[4])
          form = audit_log.form(last["form_version"], [last[c] for c in audit_log.hashed(columns, last["form_version"])])
          previous, head = head, hashlib.blake2b(head + form, digest_size=32).digest()
          texts = {c: last[c] for c in ("id", "action", "outcome", "profile", "role_arn", "role_session_name", "source_identity",
              "source_access_key_id", "access_key_id", "request_id", "error", "session_id", "intent_id", "program", "host")}
          texts["user_name"] = last["user"]
          texts["cause"] = last["trigger"]
          texts = {c: t for c, t in texts.items() if t is not None}
          times = {c: last[c] for c in ("time", "issued_at", "expires_at") if last[c] is not None}
          print(f"INSERT INTO vault_audit.audit_event (vault_id, sequence, hash, previous_sequence, previous_hash, mac, form, "
              + ", ".join(f'"{c}"' for c in [*texts, *times]) + f") VALUES ('{vault}', {sequence}, '\\\\x{head.hex()}', {sequence - 1}, "
              + f"'\\\\x{previous.hex()}', decode(repeat('00', 32), 'hex'), '\\\\x{form.hex()}', "
              + ", ".join([f"'{t}'" for t in texts.values()]
                  + [f"'epoch'::timestamptz + interval '{t // 1000} s' + interval '{t % 1000} ms'" for t in times.values()]) + ");")
      """
    let bench = Repository.root.appending(path: "bench").path
    let result = try await Subprocess.run(
      try Programs.python, ["-c", script, bench, vault.database, String(rows), time.map { String($0) } ?? "-"],
      environment: ["PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"])
    try #require(result.succeeded, "\(result.errors)")
    return result.output
  }
}
