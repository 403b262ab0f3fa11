// What /proc shows of a process and of its group: connections, CPU, memory.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// connected reports whether a process of the group has a TCP connection to one of the servers at
// urls.
func (p *proc) connected(urls string) bool {
	sockets := connections(urls)
	for _, pid := range p.members() {
		fds, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, fd := range fds {
			if to, err := os.Readlink(fd); err == nil && sockets[to] {
				return true
			}
		}
	}
	return false
}

// connections lists the sockets of this machine that are connected to one of the servers, as
// /proc/PID/fd names them.
func connections(urls string) map[string]bool {
	ports := map[string]bool{}
	for url := range strings.SplitSeq(urls, ",") {
		if n, err := strconv.ParseUint(url[strings.LastIndexByte(url, ':')+1:], 10, 16); err == nil {
			ports[fmt.Sprintf("%04X", n)] = true
		}
	}
	sockets := map[string]bool{}
	for _, f := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(f)
		for l := range strings.Lines(string(b)) {
			// sl local remote state …; field 9 is the inode
			w := strings.Fields(l)
			if len(w) > 9 && w[3] == established && ports[w[2][strings.LastIndexByte(w[2], ':')+1:]] {
				sockets["socket:["+w[9]+"]"] = true
			}
		}
	}
	return sockets
}

const established = "01" // state in /proc/net/tcp

// members lists the processes of p's group.
func (p *proc) members() (pids []string) {
	want := strconv.Itoa(p.cmd.Process.Pid)
	dirs, _ := os.ReadDir("/proc")
	for _, d := range dirs {
		if _, err := strconv.Atoi(d.Name()); err != nil {
			continue
		}
		if f := statFields(d.Name()); len(f) > 14 && f[2] == want {
			pids = append(pids, d.Name())
		}
	}
	return pids
}

// statFields returns /proc/PID/stat after the command name: state, ppid, pgrp and so on.
func statFields(pid string) []string {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil
	}
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return nil
	}
	return strings.Fields(string(b[i+1:]))
}

const tick = 100.0 // USER_HZ

// cpu is the group's user and system time in seconds.
func (p *proc) cpu() (s float64) {
	for _, pid := range p.members() {
		f := statFields(pid)
		if len(f) < 13 {
			continue
		}
		u, _ := strconv.ParseFloat(f[11], 64)
		k, _ := strconv.ParseFloat(f[12], 64)
		s += (u + k) / tick
	}
	return s
}

// peakRSS is the sum of the group's peak resident sizes in MiB, rss that of the present sizes.
func (p *proc) peakRSS() float64 { return p.status("VmHWM:") }
func (p *proc) rss() float64     { return p.status("VmRSS:") }

func (p *proc) status(field string) (mb float64) {
	for _, pid := range p.members() {
		b, err := os.ReadFile("/proc/" + pid + "/status")
		if err != nil {
			continue
		}
		for l := range strings.Lines(string(b)) {
			if strings.HasPrefix(l, field) {
				kb, _ := strconv.ParseFloat(strings.Fields(l)[1], 64)
				mb += kb / 1024
			}
		}
	}
	return mb
}

func selfCPU() float64 {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}
