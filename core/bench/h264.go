package bench

import (
	"bytes"
	"encoding/binary"
)

// The pictures are grey, 320 × 240: real H.264 that decoders take, but for
// filler data of hardly any content.
const (
	width, height = 320, 240
	macroblocks   = width / 16 * height / 16
)

// NAL unit types with nal_ref_idc (ITU-T H.264, table 7-1).
const (
	nalSlice  = 0x41
	nalIDR    = 0x65
	nalSEI    = 0x06
	nalSPS    = 0x67
	nalPPS    = 0x68
	nalFiller = 0x0C
)

// sps are the elements of seq_parameter_set_data (section 7.3.2.1.1).
var sps = []field{
	{8, 66},   // profile_idc: Baseline
	{8, 0xC0}, // constraint_set0_flag, constraint_set1_flag
	{8, 30},   // level_idc: 3.0
	{0, 0},    // seq_parameter_set_id
	{0, 0},    // log2_max_frame_num_minus4: frame_num has 4 bits
	{0, 2},    // pic_order_cnt_type: output order is decoding order
	{0, 1},    // max_num_ref_frames
	{1, 0},    // gaps_in_frame_num_value_allowed_flag
	{0, width/16 - 1},
	{0, height/16 - 1},
	{1, 1}, // frame_mbs_only_flag
	{1, 1}, // direct_8x8_inference_flag
	{1, 0}, // frame_cropping_flag
	{1, 0}, // vui_parameters_present_flag
}

// pps are the elements of pic_parameter_set_rbsp (section 7.3.2.2).
var pps = []field{
	{0, 0}, // pic_parameter_set_id
	{0, 0}, // seq_parameter_set_id
	{1, 0}, // entropy_coding_mode_flag: CAVLC
	{1, 0}, // bottom_field_pic_order_in_frame_present_flag
	{0, 0}, // num_slice_groups_minus1
	{0, 0}, // num_ref_idx_l0_default_active_minus1
	{0, 0}, // num_ref_idx_l1_default_active_minus1
	{1, 0}, // weighted_pred_flag
	{2, 0}, // weighted_bipred_idc
	{0, 0}, // pic_init_qp_minus26
	{0, 0}, // pic_init_qs_minus26
	{0, 0}, // chroma_qp_index_offset
	{1, 0}, // deblocking_filter_control_present_flag
	{1, 0}, // constrained_intra_pred_flag
	{1, 0}, // redundant_pic_cnt_present_flag
}

// idrSlice are the elements of a slice header (section 7.3.3) of an IDR
// picture.
var idrSlice = []field{
	{0, 0}, // first_mb_in_slice
	{0, 7}, // slice_type: I
	{0, 0}, // pic_parameter_set_id
	{4, 0}, // frame_num
	{0, 0}, // idr_pic_id
	{1, 0}, // no_output_of_prior_pics_flag
	{1, 0}, // long_term_reference_flag
	{0, 0}, // slice_qp_delta
}

// greyBlock is a macroblock without residual (section 7.3.5).
var greyBlock = []field{
	{0, 3}, // mb_type: I_16x16_2_0_0
	{0, 0}, // intra_chroma_pred_mode
	{0, 0}, // mb_qp_delta
	{1, 1}, // coeff_token: none
}

// interSlice are the elements of a slice that repeats the picture before it.
func interSlice(frameNum uint32) []field {
	return []field{
		{0, 0}, // first_mb_in_slice
		{0, 5}, // slice_type: P
		{0, 0}, // pic_parameter_set_id
		{4, frameNum & 15},
		{1, 0}, // num_ref_idx_active_override_flag
		{1, 0}, // ref_pic_list_modification_flag_l0
		{1, 0}, // adaptive_ref_pic_marking_mode_flag
		{0, 0}, // slice_qp_delta
		{0, macroblocks},
	}
}

// nal makes a NAL unit of its payload, with emulation prevention (section
// 7.4.1.1).
func nal(header byte, payload []byte) []byte {
	b := []byte{header}
	zeros := 0
	for _, c := range payload {
		if zeros == 2 && c <= 3 {
			b, zeros = append(b, 3), 0
		}
		b = append(b, c)
		if c == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return b
}

// appendNAL appends a unit with its length, as FLV has it.
func appendNAL(dst, unit []byte) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(len(unit))), unit...)
}

// filler returns a unit of filler data (section 7.3.2.7) of n bytes, at least
// 2.
func filler(n int) []byte {
	unit := bytes.Repeat([]byte{0xFF}, max(n, 2))
	unit[0], unit[len(unit)-1] = nalFiller, 0x80
	return unit
}

// seiUnit returns user_data_unregistered (section D.1.7) with room for a
// stamp.
func seiUnit() []byte {
	unit := append([]byte{nalSEI, 5, stampSize}, emptyStamp()...)
	return append(unit, 0x80)
}

// avcConfig is the tag data of the sequence header
// (AVCDecoderConfigurationRecord, ISO/IEC 14496-15, 5.2.4.1).
func avcConfig() []byte {
	s, p := nal(nalSPS, rbsp(sps)), nal(nalPPS, rbsp(pps))
	b := []byte{0x17, 0, 0, 0, 0, 1, s[1], s[2], s[3], 0xFF, 0xE1}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(s))), s...)
	b = append(b, 1)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(p))), p...)
}

// avcFrame is the tag data of a picture, size bytes in all if there is room
// for what it needs.
func avcFrame(key bool, frameNum uint32, size int) []byte {
	b := []byte{0x27, 1, 0, 0, 0}
	slice := nal(nalSlice, rbsp(interSlice(frameNum)))
	if key {
		b[0] = 0x17
		slice = nal(nalIDR, rbsp(idrSlice, repeated(greyBlock, macroblocks)))
	}
	b = appendNAL(b, seiUnit())
	b = appendNAL(b, slice)
	const least = 4 + 2
	if left := size - len(b); left >= least {
		b = appendNAL(b, filler(left-4))
	}
	return b
}

// repeated repeats a list.
func repeated(list []field, times int) []field {
	var all []field
	for range times {
		all = append(all, list...)
	}
	return all
}
