import TestSupport
import Testing
import VaultSecrets

/// The primitives against published vectors, so that nothing rests on our own word.
@Suite struct VectorTests {
  private func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8)
    return stride(from: 0, to: digits.count, by: 2).compactMap {
      UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16)
    }
  }

  private func secret(_ bytes: [UInt8]) -> SecretBytes { bytes.withUnsafeBytes { SecretBytes(copying: $0) } }

  @Test("SHA-256 is that of FIPS 180-4, in one piece or several")
  func sha() {
    let expected = bytes("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(sha256(Array("abc".utf8)) == expected)
    #expect(sha256(Array("a".utf8), [], Array("bc".utf8)) == expected)
    #expect(sha256() == bytes("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
  }

  @Test(
    "HMAC-SHA-256 is that of RFC 4231",
    arguments: [
      (String(repeating: "0b", count: 20), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
      ("4a656665", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
      (
        String(repeating: "aa", count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
    ])
  func hmac(key: String, message: String, code: String) {
    #expect(bytes(key).withUnsafeBytes { hmacSHA256(key: $0, Array(message.utf8)) } == bytes(code))
  }

  @Test("BLAKE2b is that of RFC 7693")
  func blake() {
    let expected =
      "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"
    #expect(blake2b(Array("abc".utf8), length: 64) == bytes(expected))
  }

  @Test("sub-keys are those that another implementation of BLAKE2b derives (Python's hashlib, with salt and person)")
  func subkeys() {
    let master = secret(Array(0..<32))
    for (id, expected) in [
      (UInt64(1), "f0e49723f432ea2196fde5146fa76f4c53f8863c69be3858a182201917173699"),
      (2, "13956b9a3ad13e5af42e82db7c677d8434df116cd368598ad767a9efec137b39"),
    ] {
      #expect(deriveKey(from: master, id: id, context: "vltrec01").equals(secret(bytes(expected))))
    }
  }

  @Test("XChaCha20-Poly1305 is that of draft-irtf-cfrg-xchacha-03, A.3.1, both ways")
  func xchacha() throws {
    let text =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
    let key = secret(Array(0x80...0x9f))
    let nonce = Array(UInt8(0x40)...0x57)
    let associated = bytes("50515253c0c1c2c3c4c5c6c7")
    let expected = bytes(
      "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
        + "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812f615c68b13b52e"
        + "c0875924c1c7987947deafd8780acf49")
    let sealed = Array(text.utf8).withUnsafeBytes {
      XChaCha20Poly1305.seal($0, associatedData: associated, nonce: nonce, key: key)
    }
    #expect(sealed == expected)
    let opened = try #require(XChaCha20Poly1305.open(expected, associatedData: associated, nonce: nonce, key: key))
    #expect(opened.equals(SecretBytes(text)))
    for index in expected.indices {
      var changed = expected
      changed[index] ^= 1
      #expect(XChaCha20Poly1305.open(changed, associatedData: associated, nonce: nonce, key: key) == nil)
    }
    #expect(XChaCha20Poly1305.open(expected, associatedData: [], nonce: nonce, key: key) == nil)
  }

  @Test("no two nonces are the same, however many threads take them at one time")
  func nonces() async {
    let each = 2_000
    let all = await withTaskGroup(of: [[UInt8]].self) { group in
      for _ in 0..<4 {
        group.addTask {
          (0..<each).map { _ in
            var nonce = [UInt8](repeating: 0, count: XChaCha20Poly1305.nonceLength)
            nonce.withUnsafeMutableBytes { XChaCha20Poly1305.makeNonce($0) }
            return nonce
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(all).count == 4 * each)
    // Each byte of them takes nearly every value.
    for place in 0..<XChaCha20Poly1305.nonceLength { #expect(Set(all.map { $0[place] }).count > 240) }
  }

  @Test("Argon2id is that of the reference implementation (argon2-cffi, one lane)")
  func argon() throws {
    let key = try #require(
      Argon2id.deriveKey(
        passphrase: SecretBytes("correct horse battery staple"), salt: Array(0..<16), passes: 3, memory: 64 << 20))
    #expect(key.equals(secret(bytes("0d1a3c6523c8f06e4e0af9c515aa5b5448cfebd6838f2d52c3d8b6ef8ddc3c2e"))))
  }

  @Test("a part of a secret is those bytes and no others")
  func parts() {
    let whole = SecretBytes("0123456789")
    #expect(whole.part(2..<5).equals(SecretBytes("234")))
    #expect(whole.part(2..<9).part(1..<3).equals(SecretBytes("34")))
    #expect(whole.part(4..<4).count == 0)
  }
}
