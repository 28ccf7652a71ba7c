# SPDX-License-Identifier: Apache-2.0
"""Runs hedge-fetch-data against a web server of its own on 127.0.0.1 (web_server.py), which behaves as badly as it is
told. HEDGE_BUILD is the build folder."""
import fcntl
import hashlib
import io
import os
import random
import resource
import shutil
import signal
import ssl
import subprocess
import tarfile
import tempfile
import time
import unittest

from web_server import Server, closed_port

BUILD = os.environ["HEDGE_BUILD"]
FILES = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin", "batches.meta.txt"]
PART = "cifar-10-binary.tar.gz.part"


def contents(seed=0):
    draw = random.Random(seed)
    files = {name: b"".join(bytes([draw.randrange(10)]) + draw.randbytes(3072) for _ in range(20))
             for name in FILES}
    files["batches.meta.txt"] = b"airplane\nautomobile\n"
    return files


def member(name, content=b"", kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def pack(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def archive_of(files, *further):
    return pack(member("cifar-10-batches-bin", kind=tarfile.DIRTYPE),
                *[member("cifar-10-batches-bin/" + name, content) for name, content in files.items()],
                member("cifar-10-batches-bin/readme.html", b"<html>"), *further)


class Fetch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.contents = contents()
        cls.archive = archive_of(cls.contents)

    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.data = os.path.join(self.root, "data")
        self.server = Server({"a": self.archive})
        self.requests = self.server.http.requests

    def tearDown(self):
        self.server.close()
        shutil.rmtree(self.root)

    def arguments(self, path, *flags, archive=None, scheme="http"):
        digest = hashlib.sha256(archive or self.archive).hexdigest()
        return [os.path.join(BUILD, "hedge-fetch-data"), "cifar10", f"--data={self.data}",
                f"--url={scheme}://127.0.0.1:{self.server.port}/{path}", f"--sha256={digest}", *flags]

    @staticmethod
    def call(arguments, environment=(), **more):
        clean = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
        return subprocess.run(arguments, text=True, capture_output=True, check=False, timeout=120,
                              env={**clean, **dict(environment)}, **more)

    def fetch(self, path, *flags, **more):
        return self.call(self.arguments(path, *flags, **more))

    def complete(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(os.listdir(self.data)), sorted(FILES + ["cifar-10.sha256"]))
        for name, content in self.contents.items():
            with open(os.path.join(self.data, name), "rb") as file:
                self.assertEqual(file.read(), content, name)

    def failed(self, done, *words, status=1, left=()):
        self.assertEqual(done.returncode, status, done.stderr)
        errors = [line for line in done.stderr.splitlines() if ": error: " in line]
        self.assertEqual(len(errors), 1, done.stderr)
        for word in words:
            self.assertIn(word, errors[0])
        if os.path.isdir(self.data):
            self.assertEqual(sorted(os.listdir(self.data)), sorted(left))

    def part(self, content, source=None):
        """What an earlier run left."""
        os.makedirs(self.data)
        with open(os.path.join(self.data, PART), "wb") as file:
            file.write(content)
        if source is not None:
            with open(os.path.join(self.data, PART + ".from"), "w") as file:
                file.write("\n".join(source) + "\n")

    def etag(self):
        return f'"{hashlib.md5(self.archive).hexdigest()}"'

    # ---- what goes well

    def test_whole_then_again(self):
        self.complete(self.fetch("ok/a"))
        with open(os.path.join(self.data, "cifar-10.sha256")) as file:
            first, *lines = file.read().splitlines()
        self.assertEqual(first, "# unpacked from an archive with SHA-256 " + hashlib.sha256(self.archive).hexdigest())
        self.assertEqual({line[66:]: line[:64] for line in lines},
                         {name: hashlib.sha256(c).hexdigest() for name, c in self.contents.items()})
        done = self.fetch("ok/a")
        self.complete(done)
        self.assertIn("is there, verified", done.stdout)
        self.assertEqual(len(self.requests), 1)

    def test_the_files_are_a_dataset(self):
        self.complete(self.fetch("ok/a"))
        model = os.path.join(os.environ["HEDGE_SOURCE"], "models", "resnet8_shapes.onnx")
        done = self.call([os.path.join(BUILD, "inference"), f"--model={model}", "--dataset=cifar",
                          "--backend=null", "--preprocess=scale=1", f"--data={self.data}", "--iterations=20"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("of 20 images", done.stdout)

    def test_redirect(self):
        self.complete(self.fetch("redirect/a"))
        self.assertEqual([request[0] for request in self.requests], ["/redirect/a", "/ok/a"])

    def test_resumes_what_a_broken_connection_left(self):
        self.complete(self.fetch("cut/a"))
        self.assertEqual(len(self.requests), 3)
        self.assertEqual(self.requests[0][1:], (None, None))
        self.assertEqual(self.requests[1][1:], (f"bytes={len(self.archive) // 2}-", self.etag()))

    def test_resumes_without_a_validator(self):
        self.part(self.archive[:1000])
        self.complete(self.fetch("noetag/a"))
        self.assertEqual(self.requests[0][1:], ("bytes=1000-", None))

    def test_goes_on_after_ctrl_c(self):
        process = subprocess.Popen(self.arguments("slow/a"), text=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.assertTrue(self.server.http.half_sent.wait(30))
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("run the same again", out)
        self.assertEqual(sorted(os.listdir(self.data)), [PART, PART + ".from"])
        self.assertEqual(os.path.getsize(os.path.join(self.data, PART)), len(self.archive) // 2)
        self.complete(self.fetch("ok/a"))  # From another address: the bytes count, not the validator.
        self.assertEqual(self.requests[-1][1:], (f"bytes={len(self.archive) // 2}-", None))

    def test_server_without_range(self):
        self.part(self.archive[:1000])
        self.complete(self.fetch("norange/a"))
        self.assertEqual(len(self.requests), 1)

    def test_server_without_range_that_cuts(self):
        self.complete(self.fetch("norangecut/a", "--retries=3"))

    def test_another_edition(self):
        """If-Range keeps bytes of two editions apart."""
        url = f"http://127.0.0.1:{self.server.port}/ok/a"
        self.part(b"x" * 1000, source=(url, '"old"'))
        done = self.fetch("ok/a")
        self.complete(done)
        self.assertEqual([request[1:] for request in self.requests], [("bytes=1000-", '"old"')])
        self.assertNotIn("warning", done.stderr)

    def test_damaged_part(self):
        url = f"http://127.0.0.1:{self.server.port}/ok/a"
        self.part(b"x" * 1000, source=(url, self.etag()))
        done = self.fetch("ok/a")
        self.complete(done)
        self.assertEqual([request[1] for request in self.requests], ["bytes=1000-", None])
        self.assertIn("beginning again", done.stderr)

    def test_part_longer_than_the_file(self):
        self.part(self.archive + b"x")
        self.complete(self.fetch("ok/a"))

    def test_busy_server(self):
        done = self.fetch("busy/a")
        self.complete(done)
        self.assertEqual(len(self.requests), 3)
        self.assertIn("503", done.stderr)

    def test_no_length(self):
        self.complete(self.fetch("nolength/a"))

    def test_proxy(self):
        arguments = self.arguments("ok/a")
        arguments[3] = "--url=http://cifar.invalid/ok/a"
        proxy = f"http://127.0.0.1:{self.server.port}"
        self.complete(self.call(arguments, {"http_proxy": proxy}))
        self.assertEqual(self.requests[0][0], "http://cifar.invalid/ok/a")

    def test_wrong_proxy_is_named(self):
        proxy = f"http://user:secret@127.0.0.1:{closed_port()}"
        done = self.call(self.arguments("ok/a", "--retries=0"), {"http_proxy": proxy})
        self.failed(done, "$http_proxy")
        self.assertNotIn("secret", done.stderr)

    @unittest.skipUnless(shutil.which("openssl"), "no openssl to make a certificate with")
    def test_https(self):
        key, certificate = os.path.join(self.root, "key"), os.path.join(self.root, "certificate")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out",
                        certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.close()
        self.server = Server({"a": self.archive}, context)
        self.failed(self.fetch("ok/a", scheme="https"), "certificate")
        self.complete(self.call(self.arguments("ok/a", scheme="https"), {"CURL_CA_BUNDLE": certificate}))

    # ---- what goes wrong with the server

    def test_wrong_checksum(self):
        self.failed(self.fetch("ok/a", archive=b"another"), "SHA-256", hashlib.sha256(self.archive).hexdigest(),
                    hashlib.sha256(b"another").hexdigest())

    def test_not_the_known_archive(self):
        arguments = [a for a in self.arguments("ok/a") if not a.startswith("--sha256")]
        self.failed(self.call(arguments), str(len(self.archive)), "170052171")

    def test_errors_of_the_server(self):
        self.failed(self.fetch("404/a"), "404", "--url")
        self.failed(self.fetch("403/a"), "403")
        self.failed(self.fetch("416/a"), "416")
        self.failed(self.fetch("loop/a"), "redirects")
        self.failed(self.fetch("file/a"), "file")
        self.failed(self.fetch("busy/a", "--retries=1"), "503", "after 2 attempts")

    def test_credentials_stay_out_of_messages(self):
        arguments = self.arguments("404/a")
        arguments[3] = arguments[3].replace("//", "//user:secret@")
        done = self.call(arguments)
        self.failed(done, "404")
        self.assertNotIn("secret", done.stderr)

    def test_hanging_servers(self):
        begin = time.monotonic()
        self.failed(self.fetch("hang/a", "--timeout=1", "--retries=0"), "gave up after 1 attempts")
        self.failed(self.fetch("stall/a", "--timeout=1", "--retries=0"), "run again",
                    left=[PART, PART + ".from"])
        self.assertLess(time.monotonic() - begin, 20)

    def test_connection_that_never_lasts(self):
        self.failed(self.fetch("alwayscut/a", "--retries=1"), "attempts", left=[PART, PART + ".from"])
        self.assertEqual([request[1] for request in self.requests], [None, f"bytes={len(self.archive) // 2}-"])

    def test_nobody_listens(self):
        arguments = self.arguments("ok/a", "--retries=0")
        arguments[3] = f"--url=http://127.0.0.1:{closed_port()}/a"
        self.failed(self.call(arguments), "127.0.0.1")

    def test_wrong_range(self):
        self.part(self.archive[:1000], source=("", ""))
        self.failed(self.fetch("wrongrange/a"), "bytes 1001-", left=[PART, PART + ".from"])

    # ---- what goes wrong with the archive

    def test_bad_archives(self):
        good = self.contents
        wrong_label = {**good, "test_batch.bin": b"\xff" + good["test_batch.bin"][1:]}
        some = {name: content for name, content in good.items() if name != "test_batch.bin"}
        folder = "cifar-10-batches-bin/"
        cases = {
            "damaged": b"this is no archive" * 1000,
            "truncated": self.archive[:len(self.archive) * 3 // 4],
            "no member": archive_of(some),
            "leads out": archive_of(good, member("../outside.bin", b"x")),
            "leads out ": archive_of(good, member(folder + "../../outside.bin", b"x")),
            "leads out  ": archive_of(good, member("/outside.bin", b"x")),
            "no regular file": archive_of(some, member(folder + "test_batch.bin", kind=tarfile.SYMTYPE,
                                                       link="../../outside.bin")),
            "no regular file ": archive_of(some, member(folder + "test_batch.bin", kind=tarfile.LNKTYPE,
                                                        link=folder + "data_batch_1.bin")),
            "twice": archive_of(good, member(folder + "test_batch.bin", b"x")),
            "at most 30730000": archive_of({**some, "test_batch.bin": bytes(30_730_001)}),
            "unpacks to more": archive_of({}, *[member(f"zeros{i}", bytes(30_000_000)) for i in range(34)]),
            "label 255": archive_of(wrong_label),
            "whole number": archive_of({**good, "test_batch.bin": b"\1" * 3074}),
        }
        for word, archive in cases.items():
            self.server.http.files["b"] = archive
            done = self.fetch("ok/b", archive=archive)
            status = 2 if word in ("label 255", "whole number") else 1
            self.failed(done, word.rstrip(), status=status, left=[PART, PART + ".from"])
            shutil.rmtree(self.data)
        self.assertEqual(os.listdir(self.root), [])

    def test_member_names_with_a_dot(self):
        archive = pack(*[member("./cifar-10-batches-bin/" + n, c) for n, c in self.contents.items()])
        self.server.http.files["b"] = archive
        self.complete(self.fetch("ok/b", archive=archive))

    # ---- what goes wrong here

    def test_files_of_others(self):
        os.makedirs(self.data)
        own = os.path.join(self.data, "test_batch.bin")
        with open(own, "wb") as file:
            file.write(b"mine")
        self.failed(self.fetch("ok/a"), "test_batch.bin", "--force", status=2, left=["test_batch.bin"])
        self.assertEqual(self.requests, [])
        self.complete(self.fetch("ok/a", "--force"))
        with open(own, "ab") as file:
            file.write(b"damage")
        self.failed(self.fetch("ok/a"), "test_batch.bin is there", status=2, left=FILES + ["cifar-10.sha256"])
        os.remove(own)
        self.complete(self.fetch("ok/a"))

    def test_files_of_another_archive(self):
        """What was verified against one checksum is not verified against another."""
        self.complete(self.fetch("ok/a"))
        program = os.path.join(BUILD, "hedge-fetch-data")
        self.failed(self.call([program, "cifar10", f"--data={self.data}"]), "data_batch_1.bin", "--force",
                    status=2, left=FILES + ["cifar-10.sha256"])

    def test_two_at_once(self):
        self.part(self.archive[:10])
        with open(os.path.join(self.data, PART), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.failed(self.fetch("ok/a"), "another download", left=[PART])

    def test_folders_that_cannot_be_written(self):
        path = os.path.join(self.root, "file")
        open(path, "w").close()
        for folder in (path, os.path.join(path, "below"), "/proc/none"):
            arguments = self.arguments("ok/a")
            arguments[2] = f"--data={folder}"
            self.failed(self.call(arguments), folder, status=2)
        if os.geteuid() != 0:
            os.makedirs(self.data, mode=0o500)
            self.failed(self.fetch("ok/a"), self.data, status=2)

    def test_full_disk(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

        done = self.call(self.arguments("ok/a"), preexec_fn=small_files)
        self.failed(done, PART, "cannot write", left=[PART, PART + ".from"])
        self.complete(self.fetch("ok/a"))
        self.assertEqual(self.requests[1][1], "bytes=40000-")

    def test_disk_full_while_unpacking(self):
        small = archive_of({name: bytes(3073 * 30) for name in FILES if name.endswith(".bin")} |
                           {"batches.meta.txt": b""})
        self.server.http.files["b"] = small

        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))

        self.assertLess(len(small), 40_000)
        done = self.call(self.arguments("ok/b", archive=small), preexec_fn=small_files)
        self.failed(done, "cannot write", left=[PART, PART + ".from"])

    def test_too_little_space(self):
        os.makedirs(self.data)
        mount = ["unshare", "-rm", "sh", "-c", f'mount -t tmpfs -o size=1m tmpfs "{self.data}" && exec "$@"', "sh"]
        try:
            if self.call(mount + ["true"]).returncode != 0:
                self.skipTest("no file system can be mounted here")
        except FileNotFoundError:
            self.skipTest("no unshare")
        self.failed(self.call(mount + self.arguments("ok/a")), "MB are needed", self.data)

    def test_usage(self):
        program = os.path.join(BUILD, "hedge-fetch-data")
        for arguments, words in ((["cifar10", "--sha256=" + "0" * 64], ["--url"]),
                                 (["cifar10", "--url=http://x", "--sha256=12"], ["64 hexadecimal"]),
                                 (["cifar10", "--url=ftp://x/y"], ["ftp://x/y", "http"]),
                                 (["cifar10", "--timeout=0"], ["--timeout"]),
                                 (["shapes"], ["make-data"]), ([], ["cifar10"]), (["mnist"], ["mnist"]),
                                 (["imagenet", "--url=http://x"], ["--url"])):
            self.failed(self.call([program, *arguments, f"--data={self.data}"]), *words, status=2)
        listed = self.call([program, "--list"])
        self.assertEqual(listed.returncode, 0)
        for word in ("cifar10", "imagenet", "shapes"):
            self.assertIn(word, listed.stdout)

    @unittest.skipUnless(shutil.which("ldd"), "no ldd")
    def test_running_an_engine_loads_none_of_it(self):
        for name in ("inference", "lib/libhedge.so"):
            libraries = self.call(["ldd", os.path.join(BUILD, name)]).stdout
            self.assertIn("libfmt", libraries)
            for library in ("libcurl", "libssl", "libcrypto", "libarchive"):
                self.assertNotIn(library, libraries)

    # ---- ImageNet

    def imagenet(self, *flags):
        return self.call([os.path.join(BUILD, "hedge-fetch-data"), "imagenet", f"--data={self.data}", *flags])

    def test_imagenet(self):
        self.assertEqual(self.imagenet().returncode, 2)  # No such folder.
        images = os.path.join(self.data, "bin")
        os.makedirs(images)
        done = self.imagenet()
        self.assertEqual(done.returncode, 1)
        for word in ("no images", "imagenet_labels.txt", "image-net.org", "ILSVRC2012_img_val.tar"):
            self.assertIn(word, done.stdout)
        names = [os.path.join(images, f"ILSVRC2012_val_{i:08d}.bin") for i in range(1, 50001)]
        for name in names:  # Empty but for their size: nothing is stored.
            file = os.open(name, os.O_CREAT | os.O_WRONLY)
            os.ftruncate(file, 224 * 224 * 3)
            os.close(file)
        labels = os.path.join(self.data, "imagenet_labels.txt")

        def write_labels(values):
            with open(labels, "w") as file:
                file.write("\n".join(map(str, values)) + "\n")

        write_labels(i % 1000 for i in range(50000))
        done = self.imagenet()
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("complete", done.stdout)

        os.truncate(names[6], 1)
        os.remove(names[41])
        done = self.imagenet()
        self.assertEqual(done.returncode, 1)
        for word in ("49998 of 50000", "2 images are missing, number 7, 42", "00000007.bin has 1 bytes", "150528"):
            self.assertIn(word, done.stdout)
        for values, word in ((range(999), "999 lines"), ([1000] * 50000, "line 1 is '1000'"),
                             ([5] * 50000, "only 1 of 1000 classes")):
            write_labels(values)
            done = self.imagenet()
            self.assertEqual(done.returncode, 1)
            self.assertIn(word, done.stdout)

    def test_imagenet_jpegs(self):
        os.makedirs(os.path.join(self.data, "val", "n01440764"))
        for i, folder in ((1, "val/n01440764"), (2, "val"), (2, "."), (50001, "val")):
            with open(os.path.join(self.data, folder, f"ILSVRC2012_val_{i:08d}.JPEG"), "wb") as file:
                file.write(b"x")
        done = self.imagenet()
        self.assertEqual(done.returncode, 1)
        self.assertIn("2 of 50000", done.stdout)
        self.assertIn("49998 images are missing, number 3, 4, 5 and 49995 more", done.stdout)
        self.assertIn("1 are there twice (first: ILSVRC2012_val_00000002.JPEG)", done.stdout)
        self.assertIn("1 with numbers above 50000", done.stdout)

    def test_imagenet_looks_where_the_dataset_does(self):
        os.makedirs(os.path.join(self.data, "bin"))
        with open(os.path.join(self.data, "ILSVRC2012_val_3.jpeg"), "wb") as file:
            file.write(b"x")
        self.assertIn(os.path.join(self.data, "ILSVRC2012_val_*.JPEG: 1 of 50000"), self.imagenet().stdout)
        self.assertNotIn("val/ILSVRC2012_val_*.JPEG", self.imagenet().stdout)
        with open(os.path.join(self.data, "bin", "ILSVRC2012_val_00000001.BIN"), "wb") as file:
            file.write(bytes(224 * 224 * 3))
        done = self.imagenet()
        self.assertEqual(done.returncode, 1)
        self.assertIn("bin/ILSVRC2012_val_*.bin: 1 of 50000 images, read in place of the 1 JPEGs", done.stdout)


if __name__ == "__main__":
    unittest.main()
