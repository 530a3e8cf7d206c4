extension Boto3 {
  /// A Python program that calls STS by boto3: a JSON request a line, and a JSON answer a line.
  static let script = #"""
    import base64, hashlib, hmac, http.client, json, struct, sys, threading, time, urllib.parse
    from concurrent.futures import ThreadPoolExecutor
    import boto3, botocore.auth, botocore.awsrequest, botocore.credentials, botocore.config, botocore.exceptions

    session = boto3.session.Session()
    lock = threading.Lock()

    def client(request):
        key = request.get("credentials") or {}
        config = botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": request.get("attempts", 1)},
            read_timeout=request.get("readTimeout", 30), parameter_validation=False, max_pool_connections=128)
        with lock:
            return session.client(
                "sts", endpoint_url=request["endpoint"], region_name=request.get("region", "us-east-1"), config=config,
                aws_access_key_id=key.get("id"), aws_secret_access_key=key.get("secret"), aws_session_token=key.get("token"))

    def flatten(value, name, into):
        if isinstance(value, dict):
            for key, inner in value.items():
                flatten(inner, f"{name}.{key}" if name else key, into)
        else:
            into[name] = value.isoformat() if hasattr(value, "isoformat") else str(value)

    def call(request):
        try:
            answer = getattr(client(request), request["method"])(**request.get("arguments", {}))
            values = {}
            flatten(answer, "", values)
            return {"values": values}
        except botocore.exceptions.ClientError as error:
            values = {}
            flatten(error.response, "", values)
            return {"values": values, "code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
        except Exception as error:
            return {"exception": type(error).__name__, "message": str(error)}

    def parallel(request):
        with ThreadPoolExecutor(request["threads"]) as pool:
            answers = list(pool.map(lambda _: call(request), range(request["threads"])))
        wrong = [answer for answer in answers if "code" in answer or "exception" in answer]
        keys = {answer["values"].get("Credentials.AccessKeyId") for answer in answers if answer not in wrong}
        return {"values": {"right": str(len(answers) - len(wrong)), "keys": str(len(keys)), "first wrong": str(wrong[:1])}}

    def signed(request):
        url = request["endpoint"] + request.get("path", "/")
        body = request.get("body", "")
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", **request.get("headers", {})}
        aws = botocore.awsrequest.AWSRequest(request.get("verb", "POST"), url, headers=headers, data=body)
        key = request["credentials"]
        credentials = botocore.credentials.Credentials(key["id"], key["secret"], key.get("token"))
        botocore.auth.SigV4Auth(credentials, request.get("service", "sts"), request.get("region", "us-east-1")).add_auth(aws)
        prepared = aws.prepare()
        fields = {name: value.decode() if isinstance(value, bytes) else value for name, value in prepared.headers.items()}
        return prepared, fields

    def raw(request):
        prepared, fields = signed(request)
        address = urllib.parse.urlsplit(prepared.url)
        body = request.get("tamperedBody", request.get("body", "")).encode()
        fields.update(request.get("addHeaders", {}))
        for name, (old, new) in request.get("replaceInHeaders", {}).items():
            assert old in fields[name], fields[name]
            fields[name] = fields[name].replace(old, new)
        for name in request.get("dropHeaders", []):
            fields.pop(name)
        fields["Host"] = fields.get("Host", address.netloc)
        fields["Content-Length"] = str(len(body))
        if request.get("bytes"):
            target = address.path + ("?" + address.query if address.query else "")
            head = f"{prepared.method} {target} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
            return {"values": {"request": head + "\r\n" + body.decode()}}
        connection = http.client.HTTPConnection(address.netloc, timeout=30)
        target = address.path + ("?" + address.query if address.query else "")
        connection.putrequest(prepared.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in fields.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        values = {"status": str(answer.status), "body": answer.read().decode()}
        values.update({name.lower(): value for name, value in answer.getheaders()})
        return {"values": values}

    def totp(request):
        step = int(time.time() + request.get("offset", 0)) // 30
        mac = hmac.new(base64.b32decode(request["seed"]), struct.pack(">Q", step), hashlib.sha1).digest()
        start = mac[19] & 15
        return {"values": {"code": "%06d" % ((struct.unpack(">I", mac[start:start + 4])[0] & 0x7FFFFFFF) % 1000000)}}

    for line in sys.stdin:
        request = json.loads(line)
        answer = {"call": call, "parallel": parallel, "raw": raw, "totp": totp}[request["do"]](request)
        print(json.dumps(answer), flush=True)
    """#
}
