package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// functionOf returns the name of the function whose process has the other end of
// a connection on 127.0.0.1; none, if no function has.
func functionOf(address string) string {
	_, name := processOf(address)
	return name
}

// kill kills that process.
func kill(address string) {
	if pid, name := processOf(address); name != "" {
		if process, err := os.FindProcess(pid); err == nil {
			_ = process.Kill()
		}
	}
}

// processOf looks a connection up in Linux' /proc.
func processOf(address string) (pid int, function string) {
	_, text, err := net.SplitHostPort(address)
	port, err2 := strconv.Atoi(text)
	table, err3 := os.ReadFile("/proc/net/tcp")
	if err != nil || err2 != nil || err3 != nil {
		return 0, ""
	}
	local := fmt.Sprintf("0100007F:%04X", port)
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[1] != local {
			continue
		}
		return holderOf("socket:[" + fields[9] + "]")
	}
	return 0, ""
}

// holderOf returns the function that has a socket open.
func holderOf(socket string) (pid int, function string) {
	open, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range open {
		if target, err := os.Readlink(fd); err != nil || target != socket {
			continue
		}
		process := filepath.Dir(filepath.Dir(fd))
		environment, _ := os.ReadFile(process + "/environ")
		for variable := range bytes.SplitSeq(environment, []byte{0}) {
			if name, ok := strings.CutPrefix(string(variable), "AWS_LAMBDA_FUNCTION_NAME="); ok {
				pid, _ = strconv.Atoi(filepath.Base(process))
				return pid, name
			}
		}
	}
	return 0, ""
}
