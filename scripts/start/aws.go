package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"
)

// deadTask is the task of the sample events that is in the DLQ; see events/README.md.
const deadTask = "01939a3e-7c03-7000-8000-000000000004"

// services are the AWS services: they answer at once what the functions expect, and
// keep nothing.
type services struct {
	server *httptest.Server
	ca     string // file of the certificate, with TLS

	mu      sync.Mutex
	unknown error
}

func newServices(tls bool) (*services, error) {
	s := &services{}
	s.server = httptest.NewUnstartedServer(s)
	// A client that has opened a connection too many closes it in the middle of the handshake.
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if !tls {
		s.server.Start()
		return s, nil
	}
	s.server.StartTLS()
	// Beside all others of this machine. A Go client reads them all, from the bundle
	// and then once more from SSL_CERT_DIR's files, here as on Amazon Linux 2023
	// (https://go.dev/issue/79018).
	roots, err := os.ReadFile("/etc/ssl/certs/ca-certificates.crt")
	if err != nil {
		return nil, err
	}
	own := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	file, err := os.CreateTemp("", "bench-start-*.pem")
	if err != nil {
		return nil, err
	}
	s.ca = file.Name()
	_, err = file.Write(append(roots, own...))
	if err := errors.Join(err, file.Close(), os.WriteFile(s.ca+".own", own, 0o600)); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *services) url() string { return s.server.URL }

// env is how a function finds the services.
func (s *services) env() []string {
	env := []string{"AWS_ENDPOINT_URL=" + s.url()}
	if s.ca != "" {
		// Node has its roots in the program, and takes these besides: some 20 ms of its
		// start, which it does not need in Lambda. What TLS costs Node is in its first
		// invocation alone.
		env = append(env, "SSL_CERT_FILE="+s.ca, "NODE_EXTRA_CA_CERTS="+s.ca+".own")
	}
	return env
}

// close removes what newServices has made.
func (s *services) close() {
	s.server.Close()
	if s.ca != "" {
		_ = errors.Join(os.Remove(s.ca), os.Remove(s.ca+".own"))
	}
}

// problem returns what no answer was known for.
func (s *services) problem() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unknown
}

// ServeHTTP implements http.Handler.
func (s *services) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if strings.HasSuffix(r.URL.Path, "/operation/PutMetricData") { // RPC v2 CBOR
		w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
		w.Header().Set("Content-Type", "application/cbor")
		_, _ = w.Write([]byte{0xa0}) // {}
		return
	}
	service, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.Header().Set("X-Amzn-Requestid", "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123")
	if service == "AWSStepFunctions" && operation == "DescribeExecution" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"__type":"ExecutionDoesNotExist","message":"Execution Does Not Exist"}`)
		return
	}
	answer, err := answerTo(operation, body)
	if err != nil {
		s.mu.Lock()
		s.unknown = fmt.Errorf("%s %s %s: %w", r.Method, r.URL.Path, r.Header.Get("X-Amz-Target"), err)
		s.mu.Unlock()
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// object is a JSON object.
type object = map[string]any

// answerTo returns the answer of DynamoDB, SQS or Step Functions.
func answerTo(operation string, body []byte) (object, error) {
	switch operation {
	case "PutItem", "TransactWriteItems":
		return object{}, nil
	case "GetItem":
		return object{"Item": taskItem(body)}, nil
	case "UpdateItem":
		return object{"Attributes": taskItem(body)}, nil
	case "Query": // an index: the one open task, in each of its shards
		if !bytes.Contains(body, []byte("open#")) {
			return object{"Count": 0, "ScannedCount": 0, "Items": []object{}}, nil
		}
		return object{"Count": 1, "ScannedCount": 1, "Items": []object{taskItem(body)}}, nil
	case "BatchGetItem":
		var in struct{ RequestItems map[string]any }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		responses := object{}
		for table := range in.RequestItems {
			responses[table] = []object{taskItem(body)}
		}
		return object{"Responses": responses, "UnprocessedKeys": object{}}, nil
	case "SendMessage":
		var in struct{ MessageBody string }
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, err
		}
		sum := md5.Sum([]byte(in.MessageBody)) // both SDKs check it
		return object{"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274", "MD5OfMessageBody": hex.EncodeToString(sum[:])}, nil
	case "StartExecution":
		return object{"executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:e", "startDate": time.Now().Unix()}, nil
	}
	return nil, errors.New("no answer is known")
}

// taskItem returns the record of the task that a request is about: the dead one, or
// the ordinary one, which is open and due for a check.
func taskItem(request []byte) object {
	id, class, status, run := "01939a3e-7c00-7000-8000-000000000001", "open#07", "PENDING", "1"
	if bytes.Contains(request, []byte(deadTask)) {
		id, class, status, run = deadTask, "dead#07", "DLQ", "2"
	}
	return object{
		"pk": object{"S": id}, "class": object{"S": class}, "rev": object{"S": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
		"status": object{"S": status}, "run": object{"N": run}, "answer": object{"S": "42"},
		"createdAt": object{"N": "1733459610000"}, "updatedAt": object{"N": "1733459610000"},
		"nextCheckAt": object{"N": "1733460810000"},
	}
}
