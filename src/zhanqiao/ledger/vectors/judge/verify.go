// SPDX-License-Identifier: Apache-2.0

// Verify is the second opinion: it checks certificates as zhanqiao.ledger.verify does, in another language and on the
// Go team's own sumdb/note and sumdb/tlog. Where the two disagree, one of them is wrong.
//
//	verify TRUST CERTIFICATE [ANSWER]
//	verify < jobs        each line: trust TAB certificate TAB answer (or -)
//	                     or: witness TAB trust TAB remembered checkpoint TAB request
//
// For each certificate it prints one line: name TAB valid, or name TAB invalid TAB step TAB reason, or, where no answer
// was given, name TAB sound TAB that none was checked. For a request to a witness (C2SP tlog-witness) that remembers
// that checkpoint, the step is the HTTP status. Exit status 0 when all are valid, 1 when one is not, 4 when all are
// sound and an answer was not there to be checked.
//
// Go's packages are in places more lenient than the format allows us to be (base64 with odd bits, a signature twice);
// what this program checks before it calls them is exactly that.
package main

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	header        = "c2sp.org/tlog-proof@v1"
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://zhanqiao.dev/predicate/release/v1"
	groupPath     = "rfc6962-sha256"
	maxBytes      = 256 * 1024
	maxPath       = 63
	maxDepth      = 64
	maxInteger    = 1<<53 - 1
	clockSkew     = 5 * time.Minute
)

// A flaw is why a certificate is not valid, and at which numbered step of zhanqiao.ledger.verify.
type flaw struct {
	step   int
	reason string
}

func (f *flaw) Error() string { return f.reason }

func flawAt(step int, format string, args ...interface{}) error {
	return &flaw{step, fmt.Sprintf(format, args...)}
}

// --- trust ---------------------------------------------------------------------------------------

type group struct {
	threshold int
	members   []string
}

type trust struct {
	logs      []note.Verifier
	envelopes map[string]ed25519.PublicKey
	witnesses map[string]note.Verifier
	groups    map[string]group
	quorum    string
}

func readTrust(path string) (*trust, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t := &trust{
		envelopes: map[string]ed25519.PublicKey{},
		witnesses: map[string]note.Verifier{},
		groups:    map[string]group{},
		quorum:    "none",
	}
	for number, line := range strings.Split(string(content), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		if err := t.take(words); err != nil {
			return nil, fmt.Errorf("%s:%d: %v", path, number+1, err)
		}
	}
	if len(t.logs) == 0 || len(t.envelopes) == 0 {
		return nil, fmt.Errorf("%s: no log or no envelope key", path)
	}
	return t, nil
}

func (t *trust) take(words []string) error {
	switch {
	case words[0] == "log" && len(words) >= 2:
		verifier, err := note.NewVerifier(words[1])
		if err != nil {
			return err
		}
		t.logs = append(t.logs, verifier)
	case words[0] == "envelope" && len(words) == 3:
		key, err := exactBase64(words[2])
		if err != nil || len(key) != ed25519.PublicKeySize {
			return errors.New("not an Ed25519 key")
		}
		sum := sha256.Sum256(key)
		if words[1] != "ed25519:"+hex.EncodeToString(sum[:16]) {
			return errors.New("the key id is not the key's")
		}
		t.envelopes[words[1]] = key
	case words[0] == "witness" && len(words) >= 3:
		verifier, err := newWitness(words[2])
		if err != nil {
			return err
		}
		t.witnesses[words[1]] = verifier
	case words[0] == "group" && len(words) >= 4:
		members := words[3:]
		threshold := map[string]int{"any": 1, "all": len(members)}[words[2]]
		if threshold == 0 {
			number, err := strconv.Atoi(words[2])
			if err != nil || number < 1 || number > len(members) {
				return errors.New("odd threshold")
			}
			threshold = number
		}
		t.groups[words[1]] = group{threshold, members}
	case words[0] == "quorum" && len(words) == 2:
		t.quorum = words[1]
	default:
		return errors.New("no such line")
	}
	return nil
}

func (t *trust) reached(name string, signed map[string]bool) bool {
	if name == "none" {
		return true
	}
	g, ok := t.groups[name]
	if !ok {
		return signed[name]
	}
	count := 0
	for _, member := range g.members {
		if t.reached(member, signed) {
			count++
		}
	}
	return count >= g.threshold
}

// A witness verifies cosignature/v1, which sumdb/note does not know but leaves room for.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a key")
	}
	key, err := exactBase64(parts[2])
	if err != nil || len(key) != 33 || key[0] != 4 {
		return nil, errors.New("not a cosignature/v1 key")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	if hex.EncodeToString(sum[:4]) != parts[1] {
		return nil, errors.New("the key id is not the key's")
	}
	return &witness{parts[0], binary.BigEndian.Uint32(sum[:4]), key[1:]}, nil
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig[:8]), msg)
	return ed25519.Verify(w.key, []byte(signed), sig[8:])
}

// --- the file ------------------------------------------------------------------------------------

type member struct {
	index  int64
	digest string
	path   tlog.RecordProof
}

type certificate struct {
	envelope []byte
	index    int64
	proof    tlog.RecordProof
	note     []byte
	member   *member
}

func parse(content []byte) (*certificate, error) {
	if len(content) > maxBytes {
		return nil, errors.New("too large")
	}
	split := bytes.Index(content, []byte("\n\n"))
	if split < 0 {
		return nil, errors.New("no empty line")
	}
	lines := strings.Split(string(content[:split]), "\n")
	if len(lines) < 3 || lines[0] != header {
		return nil, errors.New("not " + header)
	}
	if !strings.HasPrefix(lines[1], "extra ") || !strings.HasPrefix(lines[2], "index ") {
		return nil, errors.New("lines not in their place")
	}
	extra, err := exactBase64(lines[1][len("extra "):])
	if err != nil {
		return nil, err
	}
	index, err := exactDecimal(lines[2][len("index "):])
	if err != nil {
		return nil, err
	}
	proof, err := hashes(lines[3:])
	if err != nil {
		return nil, err
	}
	c := &certificate{envelope: extra, index: index, proof: proof, note: content[split+2:]}
	if end := bytes.IndexByte(extra, '\n'); end >= 0 {
		c.envelope = extra[:end]
		if c.member, err = parseMember(string(extra[end+1:])); err != nil {
			return nil, err
		}
	}
	return c, nil
}

var memberLine = regexp.MustCompile(`\Amember ([0-9]+) ([0-9a-f]{64})\z`)

func parseMember(text string) (*member, error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, errors.New("the member lines do not end")
	}
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	found := memberLine.FindStringSubmatch(lines[0])
	if found == nil {
		return nil, errors.New("odd member line")
	}
	index, err := exactDecimal(found[1])
	if err != nil {
		return nil, err
	}
	path, err := hashes(lines[1:])
	if err != nil {
		return nil, err
	}
	return &member{index, found[2], path}, nil
}

func hashes(lines []string) (tlog.RecordProof, error) {
	if len(lines) > maxPath {
		return nil, errors.New("proof too long")
	}
	proof := tlog.RecordProof{}
	for _, line := range lines {
		content, err := exactBase64(line)
		if err != nil || len(content) != tlog.HashSize {
			return nil, errors.New("a proof line is no hash")
		}
		var hash tlog.Hash
		copy(hash[:], content)
		proof = append(proof, hash)
	}
	return proof, nil
}

// --- the checkpoint ------------------------------------------------------------------------------

// openNote verifies with sumdb/note, after refusing what that package lets pass.
func openNote(content []byte, t *trust) (*note.Note, error) {
	known := append([]note.Verifier{}, t.logs...)
	for _, verifier := range t.witnesses {
		known = append(known, verifier)
	}
	if split := bytes.LastIndex(content, []byte("\n\n")); split >= 0 {
		if err := exactSignatures(string(content[split+2:]), known); err != nil {
			return nil, err
		}
	}
	return note.Open(content, note.VerifierList(known...))
}

var errTwice = errors.New("a signature twice")

func exactSignatures(lines string, known []note.Verifier) error {
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(lines, "\n"), "\n") {
		words := strings.SplitN(line, " ", 3)
		if len(words) != 3 {
			return errors.New("odd signature line")
		}
		signature, err := exactBase64(words[2])
		if err != nil || len(signature) < 5 {
			return errors.New("odd signature")
		}
		hash := binary.BigEndian.Uint32(signature)
		for _, verifier := range known {
			if verifier.Name() == words[1] && verifier.KeyHash() == hash {
				key := fmt.Sprintf("%s+%08x", words[1], hash)
				if seen[key] {
					return errTwice
				}
				seen[key] = true
			}
		}
	}
	return nil
}

func checkpoint(opened *note.Note, t *trust) (tlog.Tree, error) {
	origin, tree, err := parseCheckpoint(opened.Text)
	if err != nil {
		return tlog.Tree{}, err
	}
	for _, log := range t.logs {
		if signed(opened, log) && log.Name() == origin {
			return tree, nil
		}
	}
	return tlog.Tree{}, errors.New("not signed by the log that it names")
}

func parseCheckpoint(text string) (origin string, tree tlog.Tree, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" {
		return "", tree, errors.New("not three lines")
	}
	size, err := exactDecimal(lines[1])
	if err != nil {
		return "", tree, err
	}
	root, err := hashes(lines[2:3])
	if err != nil {
		return "", tree, err
	}
	if size == 0 && root[0] != sha256.Sum256(nil) {
		return "", tree, errors.New("an empty log with a root")
	}
	return lines[0], tlog.Tree{N: size, Hash: root[0]}, nil
}

func signed(opened *note.Note, verifier note.Verifier) bool {
	for _, signature := range opened.Sigs {
		if signature.Name == verifier.Name() && signature.Hash == verifier.KeyHash() {
			return true
		}
	}
	return false
}

// --- the statement -------------------------------------------------------------------------------

func openEnvelope(content []byte, t *trust) (kind string, payload []byte, err error) {
	value, err := exactJSON(content)
	if err != nil {
		return "", nil, err
	}
	envelope, ok := object(value, "payload", "payloadType", "signatures")
	if !ok {
		return "", nil, errors.New("not an envelope")
	}
	signatures, _ := envelope["signatures"].([]interface{})
	if len(signatures) != 1 {
		return "", nil, errors.New("not one signature")
	}
	signature, ok := object(signatures[0], "keyid", "sig")
	if !ok {
		return "", nil, errors.New("not a signature")
	}
	kind, ok1 := envelope["payloadType"].(string)
	body64, ok2 := envelope["payload"].(string)
	id, ok3 := signature["keyid"].(string)
	sig64, ok4 := signature["sig"].(string)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return "", nil, errors.New("a field that is no text")
	}
	payload, err = exactBase64(body64)
	if err != nil {
		return "", nil, err
	}
	sig, err := exactBase64(sig64)
	if err != nil {
		return "", nil, err
	}
	key, ok := t.envelopes[id]
	if !ok {
		return "", nil, errors.New("foreign key")
	}
	pae := fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
	if !ed25519.Verify(key, []byte(pae), sig) {
		return "", nil, errors.New("wrong signature")
	}
	return kind, payload, nil
}

type statement struct {
	digest    string
	groupSize int64 // 0: not a group
	issued    time.Time
}

var (
	hexDigest  = regexp.MustCompile(`\A[0-9a-f]{64}\z`)
	hexSalt    = regexp.MustCompile(`\A[0-9a-f]{32}\z`)
	utcTime    = regexp.MustCompile(`\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z\z`)
	plainWhole = regexp.MustCompile(`\A(0|-?[1-9][0-9]*)\z`)
	doors      = map[string]bool{"statistics": true, "decisions": true, "artifacts": true, "exchange": true, "opendata": true}
)

func readStatement(payload []byte) (*statement, error) {
	value, err := exactJSON(payload)
	if err != nil {
		return nil, err
	}
	whole, ok := object(value, "_type", "predicate", "predicateType", "subject")
	if !ok || whole["_type"] != statementType || whole["predicateType"] != predicateType {
		return nil, errors.New("another type")
	}
	subjects, _ := whole["subject"].([]interface{})
	if len(subjects) != 1 {
		return nil, errors.New("not one subject")
	}
	subject, ok := object(subjects[0], "digest", "name")
	if !ok {
		return nil, errors.New("not a subject")
	}
	digests, ok := object(subject["digest"], "sha256")
	if !ok {
		return nil, errors.New("not a digest")
	}
	digest, _ := digests["sha256"].(string)
	if !hexDigest.MatchString(digest) {
		return nil, errors.New("not a SHA-256 digest")
	}
	s := &statement{digest: digest}
	if err := s.takePredicate(whole["predicate"]); err != nil {
		return nil, err
	}
	name := "answer"
	if s.groupSize > 0 {
		name = "answers"
	}
	if subject["name"] != name {
		return nil, errors.New("named for the other form")
	}
	return s, nil
}

func (s *statement) takePredicate(value interface{}) error {
	p, ok := object(value, "version", "door", "service_or_null", "agreement", "purpose", "policy",
		"statement_or_artifact_digest", "snapshot", "rung_or_null", "rules", "withheld", "charge", "commitment",
		"approvals", "group", "issued")
	if !ok {
		return errors.New("fields missing or unknown")
	}
	for _, name := range []string{"door", "agreement", "purpose", "statement_or_artifact_digest", "commitment", "issued"} {
		if _, ok := p[name].(string); !ok {
			return errors.New(name + " is no text")
		}
	}
	for _, name := range []string{"service_or_null", "rung_or_null"} {
		if _, ok := p[name].(string); !ok && p[name] != nil {
			return errors.New(name + " is neither text nor null")
		}
	}
	for _, name := range []string{"snapshot", "charge"} {
		if _, ok := p[name].(map[string]interface{}); !ok {
			return errors.New(name + " is no table")
		}
	}
	for _, name := range []string{"rules", "withheld", "approvals"} {
		rows, ok := p[name].([]interface{})
		if !ok {
			return errors.New(name + " is no list")
		}
		for _, row := range rows {
			if _, ok := row.(map[string]interface{}); !ok {
				return errors.New(name + " holds no tables")
			}
		}
	}
	if p["version"] != json.Number("1") || !doors[p["door"].(string)] {
		return errors.New("another version or door")
	}
	policy, ok := object(p["policy"], "version", "pack")
	if !ok {
		return errors.New("odd policy")
	}
	for _, part := range policy {
		if _, ok := part.(string); !ok {
			return errors.New("odd policy")
		}
	}
	issued, err := time.Parse(time.RFC3339, p["issued"].(string))
	if err != nil || !utcTime.MatchString(p["issued"].(string)) || issued.Year() < 1 {
		return errors.New("odd time")
	}
	s.issued = issued
	if p["group"] == nil {
		return nil
	}
	g, ok := object(p["group"], "path", "size")
	if !ok || g["path"] != groupPath {
		return errors.New("odd group")
	}
	size, ok := g["size"].(json.Number)
	if !ok {
		return errors.New("odd group size")
	}
	s.groupSize, err = exactDecimal(string(size))
	if err != nil || s.groupSize < 1 {
		return errors.New("odd group size")
	}
	return nil
}

// --- the walk ------------------------------------------------------------------------------------

func verify(content []byte, t *trust, answer []byte, now time.Time) error {
	// (1) The file.
	c, err := parse(content)
	if err != nil {
		return flawAt(1, "%v", err)
	}
	// (2) The checkpoint.
	opened, err := openNote(c.note, t)
	if err != nil {
		return flawAt(2, "%v", err)
	}
	tree, err := checkpoint(opened, t)
	if err != nil {
		return flawAt(2, "%v", err)
	}
	// (3) The witnesses.
	witnessed := map[string]bool{}
	for name, verifier := range t.witnesses {
		witnessed[name] = signed(opened, verifier)
	}
	if !t.reached(t.quorum, witnessed) {
		return flawAt(3, "no quorum")
	}
	// (4) The log.
	if err := tlog.CheckRecord(c.proof, tree.N, tree.Hash, c.index, tlog.RecordHash(c.envelope)); err != nil {
		return flawAt(4, "%v", err)
	}
	// (5) The envelope.
	kind, payload, err := openEnvelope(c.envelope, t)
	if err != nil {
		return flawAt(5, "%v", err)
	}
	// (6) The statement.
	if kind != payloadType {
		return flawAt(6, "another payload type")
	}
	s, err := readStatement(payload)
	if err != nil {
		return flawAt(6, "%v", err)
	}
	// (7) The group.
	digest, err := digestInGroup(s, c.member)
	if err != nil {
		return flawAt(7, "%v", err)
	}
	// (8) The answer.
	if answer != nil {
		found, err := readAnswer(answer)
		if err != nil {
			return flawAt(8, "%v", err)
		}
		if found != digest {
			return flawAt(8, "another answer")
		}
	}
	// (9) The dates.
	latest := now.Add(clockSkew)
	if s.issued.After(latest) {
		return flawAt(9, "issued in the future")
	}
	for _, signature := range opened.Sigs {
		for _, verifier := range t.witnesses {
			if signature.Name != verifier.Name() || signature.Hash != verifier.KeyHash() {
				continue
			}
			raw, err := exactBase64(signature.Base64)
			if err != nil || binary.BigEndian.Uint64(raw[4:12]) > uint64(latest.Unix()) {
				return flawAt(9, "cosigned in the future")
			}
		}
	}
	return nil
}

func digestInGroup(s *statement, m *member) (string, error) {
	if s.groupSize == 0 {
		if m != nil {
			return "", errors.New("a path, but no group")
		}
		return s.digest, nil
	}
	if m == nil {
		return "", errors.New("a group, but no path")
	}
	leaf, _ := hex.DecodeString(m.digest)
	root, _ := hex.DecodeString(s.digest)
	var hash tlog.Hash
	copy(hash[:], root)
	return m.digest, tlog.CheckRecord(m.path, s.groupSize, hash, m.index, tlog.RecordHash(leaf))
}

func readAnswer(content []byte) (string, error) {
	value, err := exactJSON(content)
	if err != nil {
		return "", err
	}
	whole, ok := object(value, "answer", "salt")
	if !ok {
		return "", errors.New("not just a salt and an answer")
	}
	answer, ok := whole["answer"].(map[string]interface{})
	salt, _ := whole["salt"].(string)
	if !ok || !hexSalt.MatchString(salt) {
		return "", errors.New("odd salt or answer")
	}
	var body bytes.Buffer
	if err := writeCanonical(&body, answer, 0); err != nil {
		return "", err
	}
	raw, _ := hex.DecodeString(salt)
	sum := sha256.Sum256(append(raw, body.Bytes()...))
	return hex.EncodeToString(sum[:]), nil
}

// --- a witness -----------------------------------------------------------------------------------

// cosign says whether a witness that remembers a tree of the log may cosign what the request shows. The step of a flaw is
// the HTTP status.
func cosign(body []byte, t *trust, remembered tlog.Tree) error {
	old, proof, content, err := parseRequest(body)
	if err != nil {
		return flawAt(400, "%v", err)
	}
	// sumdb/note reads and verifies at once; the standard tells apart what it refuses.
	split := bytes.LastIndex(content, []byte("\n\n"))
	if split < 0 {
		return flawAt(400, "not a note")
	}
	twice := exactSignatures(string(content[split+2:]), t.logs)
	if twice != nil && twice != errTwice {
		return flawAt(400, "%v", twice)
	}
	opened, wrong := note.Open(content, note.VerifierList(t.logs...))
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	// A line that stands there twice is malformed to sumdb/note; to us it is the log's signature that is odd.
	if twice == nil && wrong != nil && !errors.As(wrong, &unverified) && !errors.As(wrong, &invalid) {
		return flawAt(400, "%v", wrong)
	}
	watched := false
	for _, log := range t.logs {
		watched = watched || bytes.HasPrefix(content[:split+1], []byte(log.Name()+"\n"))
	}
	switch {
	case !watched:
		return flawAt(404, "another log")
	case twice != nil || wrong != nil:
		return flawAt(403, "not the log's signature")
	}
	tree, err := checkpoint(opened, t)
	if err != nil {
		return flawAt(400, "%v", err)
	}
	switch {
	case old > tree.N:
		return flawAt(400, "old is beyond new")
	case old != remembered.N:
		return flawAt(409, "another size is remembered")
	case tree.N == remembered.N && tree.Hash != remembered.Hash:
		return flawAt(409, "another root is remembered")
	case old == 0 || old == tree.N:
		if len(proof) > 0 {
			return flawAt(422, "a proof where none is needed")
		}
		return nil
	}
	if err := tlog.CheckTree(proof, tree.N, tree.Hash, old, remembered.Hash); err != nil {
		return flawAt(422, "%v", err)
	}
	return nil
}

func parseRequest(body []byte) (old int64, proof tlog.TreeProof, content []byte, err error) {
	split := bytes.Index(body, []byte("\n\n"))
	if split < 0 || len(body) > 128*1024 {
		return 0, nil, nil, errors.New("no empty line, or too large")
	}
	lines := strings.Split(string(body[:split]), "\n")
	if !strings.HasPrefix(lines[0], "old ") {
		return 0, nil, nil, errors.New("no old size")
	}
	if old, err = exactDecimal(lines[0][len("old "):]); err != nil {
		return 0, nil, nil, err
	}
	path, err := hashes(lines[1:])
	return old, tlog.TreeProof(path), body[split+2:], err
}

// --- one spelling of each value ------------------------------------------------------------------

func exactBase64(text string) ([]byte, error) {
	content, err := base64.StdEncoding.DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(content) != text {
		return nil, errors.New("not exactly base64")
	}
	return content, nil
}

func exactDecimal(text string) (int64, error) {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 0 || strconv.FormatInt(number, 10) != text {
		return 0, errors.New("not a plain number")
	}
	return number, nil
}

func exactJSON(content []byte) (interface{}, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var value interface{}
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	var again bytes.Buffer
	if err := writeCanonical(&again, value, 0); err != nil {
		return nil, err
	}
	if !bytes.Equal(again.Bytes(), content) {
		return nil, errors.New("not canonical JSON")
	}
	return value, nil
}

// writeCanonical writes RFC 8785 for values without fractions.
func writeCanonical(out *bytes.Buffer, value interface{}, depth int) error {
	if depth >= maxDepth {
		return errors.New("nested too deep")
	}
	switch v := value.(type) {
	case nil:
		out.WriteString("null")
	case bool:
		out.WriteString(strconv.FormatBool(v))
	case json.Number:
		number, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil || !plainWhole.MatchString(string(v)) || number > maxInteger || number < -maxInteger {
			return errors.New("not a whole number")
		}
		out.WriteString(string(v))
	case string:
		writeString(out, v)
	case []interface{}:
		out.WriteByte('[')
		for i, inner := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeContained(out, inner, depth); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case map[string]interface{}:
		out.WriteByte('{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				out.WriteByte(',')
			}
			writeString(out, key)
			out.WriteByte(':')
			if err := writeContained(out, v[key], depth); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	}
	return nil
}

// writeContained counts containers, not scalars: as the Python side does.
func writeContained(out *bytes.Buffer, value interface{}, depth int) error {
	switch value.(type) {
	case []interface{}, map[string]interface{}:
		return writeCanonical(out, value, depth+1)
	}
	return writeCanonical(out, value, depth)
}

// sortedKeys orders by UTF-16 code units, as RFC 8785 demands.
func sortedKeys(table map[string]interface{}) []string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := utf16.Encode([]rune(keys[i])), utf16.Encode([]rune(keys[j]))
		for at := 0; at < len(a) && at < len(b); at++ {
			if a[at] != b[at] {
				return a[at] < b[at]
			}
		}
		return len(a) < len(b)
	})
	return keys
}

func writeString(out *bytes.Buffer, text string) {
	short := map[byte]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	out.WriteByte('"')
	for at := 0; at < len(text); at++ {
		letter := text[at]
		if escape, ok := short[letter]; ok {
			out.WriteString(escape)
		} else if letter < 0x20 {
			fmt.Fprintf(out, `\u%04x`, letter)
		} else {
			out.WriteByte(letter)
		}
	}
	out.WriteByte('"')
}

func object(value interface{}, names ...string) (map[string]interface{}, bool) {
	table, ok := value.(map[string]interface{})
	if !ok || len(table) != len(names) {
		return nil, false
	}
	for _, name := range names {
		if _, ok := table[name]; !ok {
			return nil, false
		}
	}
	return table, true
}

// --- the command line ----------------------------------------------------------------------------

func main() {
	jobs := [][]string{}
	if len(os.Args) > 2 {
		jobs = append(jobs, append(append([]string{}, os.Args[1:]...), "-")[:3])
	} else {
		lines := bufio.NewScanner(os.Stdin)
		for lines.Scan() {
			jobs = append(jobs, strings.Split(lines.Text(), "\t"))
		}
	}
	trusts := map[string]*trust{}
	said := map[verdict]bool{}
	for _, job := range jobs {
		if job[0] == "witness" {
			said[judgeRequest(job[1], job[2], job[3], trusts)] = true
		} else {
			said[judge(job[0], job[1], job[2], trusts)] = true
		}
	}
	// What is wrong comes before what was not looked at.
	for _, status := range []verdict{invalid, sound} {
		if said[status] {
			os.Exit(int(status))
		}
	}
}

// A verdict is also the exit status of a call that asks for one certificate.
type verdict int

const (
	valid   verdict = 0
	invalid verdict = 1
	sound   verdict = 4
)

func judge(trustFile, certificateFile, answerFile string, trusts map[string]*trust) verdict {
	if trusts[trustFile] == nil {
		trusts[trustFile] = must(readTrust(trustFile))
	}
	content := must(os.ReadFile(certificateFile))
	var answer []byte
	if answerFile != "-" {
		answer = must(os.ReadFile(answerFile))
	}
	err := verify(content, trusts[trustFile], answer, time.Now())
	if err == nil && answer == nil {
		fmt.Printf("%s\tsound\tno answer was checked\n", certificateFile)
		return sound
	}
	return report(certificateFile, err)
}

func judgeRequest(trustFile, rememberedFile, requestFile string, trusts map[string]*trust) verdict {
	if trusts[trustFile] == nil {
		trusts[trustFile] = must(readTrust(trustFile))
	}
	_, remembered, err := parseCheckpoint(string(must(os.ReadFile(rememberedFile))))
	must(remembered, err)
	return report(requestFile, cosign(must(os.ReadFile(requestFile)), trusts[trustFile], remembered))
}

func report(name string, err error) verdict {
	var found *flaw
	if errors.As(err, &found) {
		fmt.Printf("%s\tinvalid\t%d\t%s\n", name, found.step, found.reason)
		return invalid
	}
	fmt.Printf("%s\tvalid\n", name)
	return valid
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	return value
}
