package telemetry

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// AddProfile takes over a profile in pprof's format, plain or compressed by gzip. service is whose profile it is where it does
// not say so itself, by the label service.name (or service_name) of its samples or a comment "service.name=...".
func (r *Reader) AddProfile(data []byte, service string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("decoder of profiles failed: %v", p) // not ours, on hostile input
		}
	}()
	if len(r.profiles) >= r.limits.Profiles {
		r.notes.add(NoteLimit, 1)
		return nil
	}
	if len(data) >= 2 && data[0] == 0x1f && data[1] == 0x8b {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("unpack profile: %w", err)
		}
		if data, err = io.ReadAll(io.LimitReader(z, int64(r.limits.Profile)+1)); err != nil {
			return fmt.Errorf("unpack profile: %w", err)
		}
	}
	if len(data) > r.limits.Profile {
		return fmt.Errorf("the profile is larger than %d bytes; record a shorter one", r.limits.Profile)
	}
	if n := fieldCount(data); n > r.limits.ProfileSamples {
		return fmt.Errorf("the profile has more than %d samples and places; record a shorter one", r.limits.ProfileSamples)
	}
	p, err := profile.ParseUncompressed(data)
	if err == nil {
		err = p.CheckValid()
	}
	if err != nil {
		return fmt.Errorf("not a profile in pprof's format (%w); write one with runtime/pprof or convert it by go tool pprof -proto", err)
	}
	if named := commentedService(p.Comments); named != "" {
		service = named
	}
	added := len(r.profiles)
	for i := range p.SampleType {
		r.addSampleType(p, i, service)
	}
	if len(r.profiles) == added {
		r.notes.add(NoteEmptyProfile, 1)
	}
	return nil
}

// fieldCount counts the fields of a protobuf message without decoding it: a bound for what the decoder will make of it.
func fieldCount(data []byte) int {
	count := 0
	for len(data) > 0 {
		tag, n := binary.Uvarint(data)
		if n <= 0 {
			break // the decoder says what is wrong
		}
		data = data[n:]
		size := uint64(0)
		switch tag & 7 {
		case 0:
			_, n := binary.Uvarint(data)
			size = uint64(max(n, 0)) // not negative
		case 1:
			size = 8
		case 2:
			l, n := binary.Uvarint(data)
			if n <= 0 {
				return count
			}
			data, size = data[n:], l
		case 5:
			size = 4
		}
		if size > uint64(len(data)) {
			break
		}
		data = data[size:]
		count++
	}
	return count
}

// commentedService is the service that a profile's comments name.
func commentedService(comments []string) string {
	for _, c := range comments {
		for _, key := range []string{"service.name=", "service_name=", "service="} {
			if v, ok := strings.CutPrefix(strings.TrimSpace(c), key); ok && v != "" {
				return v
			}
		}
	}
	return ""
}

// profileDepth bounds the frames of one stack. What called the outermost of them is left out.
const profileDepth = 512

// maxFlat bounds a value, so that no sum overflows.
const maxFlat = math.MaxInt64 >> 24

// framePlace identifies a frame.
type framePlace struct {
	function, file string
	line           int
}

// profileSum sums up the samples of one service.
type profileSum struct {
	index  map[framePlace]int32
	frames []ProfileFrame
	seen   []int32 // per frame, the last sample that it was counted for
	stacks map[string]int64
	total  int64
}

// addSampleType sums up one of the values of all samples by function and line. A location holds the innermost of its inlined
// functions first (profile.proto), each of which is a frame.
func (r *Reader) addSampleType(p *profile.Profile, value int, service string) {
	sums := map[string]*profileSum{}
	var key []byte
	for n, s := range p.Sample {
		v := s.Value[value]
		if v == 0 || len(s.Location) == 0 {
			continue
		}
		if v < 0 || v > maxFlat {
			r.notes.add(NoteProfileValue, 1)
			continue
		}
		of := cmp.Or(labelled(s.Label), service)
		sum := sums[of]
		if sum == nil {
			if len(sums) >= r.limits.Profiles {
				r.notes.add(NoteLimit, 1)
				continue
			}
			sum = &profileSum{index: map[framePlace]int32{}, stacks: map[string]int64{}}
			sums[of] = sum
		}
		if sum.total > math.MaxInt64-v {
			r.notes.add(NoteProfileValue, 1)
			continue
		}
		sum.total += v
		key = key[:0]
		depth := 0
		for _, l := range s.Location {
			lines := l.Line
			if len(lines) == 0 {
				lines = []profile.Line{{}} // not symbolised
			}
			for _, line := range lines {
				if depth == profileDepth {
					r.notes.add(NoteCut, 1)
				}
				if depth++; depth > profileDepth {
					continue
				}
				i := sum.frame(r, r.place(l, line))
				f := &sum.frames[i]
				if depth == 1 {
					f.Flat += v
				}
				if sum.seen[i] != int32(n)+1 { // bounded by ProfileSamples
					sum.seen[i] = int32(n) + 1
					f.Cum += v
				}
				key = binary.BigEndian.AppendUint32(key, uint32(i)) // not negative
			}
		}
		sum.stacks[string(key)] += v
	}
	services := make([]string, 0, len(sums))
	for s := range sums {
		services = append(services, s)
	}
	slices.Sort(services)
	for _, s := range services {
		if len(r.profiles) >= r.limits.Profiles {
			r.notes.add(NoteLimit, 1)
			return
		}
		out := sums[s].profile(r)
		res := pcommon.NewResource()
		if s != "" {
			res.Attributes().PutStr("service.name", s)
		}
		out.Resource = r.resource(res)
		out.Type, out.Unit = r.name(p.SampleType[value].Type), r.name(p.SampleType[value].Unit)
		if p.TimeNanos > 0 && plausible(uint64(p.TimeNanos)) {
			out.Start = p.TimeNanos
		}
		if d := time.Duration(p.DurationNanos); d > 0 && d <= maxDuration {
			out.Duration = d
		}
		out.Samples = observations(p, value, out.Total)
		r.profiles = append(r.profiles, out)
	}
}

// labelled is the service that a sample's labels name: profiles of a whole machine hold several.
func labelled(labels map[string][]string) string {
	for _, k := range [...]string{"service.name", "service_name"} {
		if v := labels[k]; len(v) > 0 && v[0] != "" {
			return v[0]
		}
	}
	return ""
}

// place names a line of a location; where there are no symbols, the address in its file.
func (r *Reader) place(l *profile.Location, line profile.Line) framePlace {
	at := framePlace{}
	if f := line.Function; f != nil {
		at.function, at.file = cmp.Or(f.Name, f.SystemName), f.Filename
		if line.Line > 0 && line.Line < 1<<24 {
			at.line = int(line.Line)
		}
	}
	if at.function == "" {
		at.function = fmt.Sprintf("0x%x", l.Address)
		if l.Mapping != nil {
			at.file = cmp.Or(at.file, l.Mapping.File)
		}
	}
	return at
}

func (s *profileSum) frame(r *Reader, at framePlace) int32 {
	i, ok := s.index[at]
	if !ok {
		i = int32(len(s.frames)) // bounded by ProfileSamples
		s.index[at] = i
		s.frames = append(s.frames, ProfileFrame{Function: r.name(at.function), File: r.name(at.file), Line: at.line})
		s.seen = append(s.seen, 0)
	}
	return i
}

// name bounds a name.
func (r *Reader) name(s string) string { return r.strings.str(r.cut(s, 512)) }

// profile orders frames and stacks and drops the lightest of what is too much.
func (s *profileSum) profile(r *Reader) Profile {
	order := make([]int32, len(s.frames))
	for i := range order {
		order[i] = int32(i) // bounded by ProfileSamples
	}
	slices.SortFunc(order, func(a, b int32) int {
		x, y := &s.frames[a], &s.frames[b]
		return cmp.Or(cmp.Compare(y.Flat, x.Flat), cmp.Compare(x.Function, y.Function), cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(a, b))
	})
	moved := make([]int32, len(order))
	out := Profile{Total: s.total, Frames: make([]ProfileFrame, len(order))}
	for to, from := range order {
		moved[from] = int32(to) // bounded by ProfileSamples
		out.Frames[to] = s.frames[from]
	}
	out.Stacks = make([]ProfileStack, 0, len(s.stacks))
	for key, v := range s.stacks {
		st := ProfileStack{Frames: make([]int32, len(key)/4), Value: v}
		for i := range st.Frames {
			st.Frames[i] = moved[binary.BigEndian.Uint32([]byte(key[4*i:4*i+4]))]
		}
		out.Stacks = append(out.Stacks, st)
	}
	slices.SortFunc(out.Stacks, func(a, b ProfileStack) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), slices.Compare(a.Frames, b.Frames))
	})
	if n := r.limits.ProfileStacks; len(out.Stacks) > n {
		r.notes.add(NoteCut, len(out.Stacks)-n)
		out.Stacks = slices.Clone(out.Stacks[:n])
	}
	return out
}

// observations is how often the profiler looked: the sum of a value divided by the period at which it was sampled. For a value
// of another unit it is taken from the value beside it that has the period's unit.
func observations(p *profile.Profile, value int, total int64) int64 {
	if p.PeriodType == nil || p.Period <= 0 {
		return 0
	}
	if p.SampleType[value].Unit == p.PeriodType.Unit {
		return total / p.Period
	}
	best := int64(0)
	for i, t := range p.SampleType {
		if t.Unit != p.PeriodType.Unit {
			continue
		}
		sum := int64(0)
		for _, s := range p.Sample {
			if v := s.Value[i]; v > 0 && v <= maxFlat && sum <= math.MaxInt64-v {
				sum += v
			}
		}
		best = max(best, sum/p.Period)
	}
	return best
}

// compareProfiles orders by service, type and time.
func compareProfiles(a, b Profile) int {
	return cmp.Or(strings.Compare(a.Resource.Service, b.Resource.Service), strings.Compare(a.Type, b.Type), strings.Compare(a.Unit, b.Unit),
		cmp.Compare(a.Start, b.Start), cmp.Compare(b.Total, a.Total))
}
