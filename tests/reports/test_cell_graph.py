from keras_dha.reports.architecture import kind_of
from keras_dha.reports.cell_graph import cell_graphs
from keras_dha.spaces import DARTSSpace, NASBench201Space


def test_nas_bench_201_is_one_cell_of_four_nodes_and_six_edges():
    decisions = NASBench201Space.decisions_from_string(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|none~2|"
    )
    (graph,) = cell_graphs(decisions)
    assert graph.nodes == ("input", "1", "2", "output")
    assert (0, 1, "nor_conv_3x3") in graph.edges
    assert (1, 3, "avg_pool_3x3") in graph.edges
    assert len(graph.edges) == 6
    assert graph.joined == ()


def test_darts_is_two_cells_whose_nodes_are_concatenated():
    pairs = [("sep_conv_3x3", 0), ("skip_connect", 1), ("dil_conv_5x5", 2), ("max_pool_3x3", 0)]
    graphs = cell_graphs(DARTSSpace.decisions_from_genotype(normal=pairs, reduce=pairs))
    assert [graph.name for graph in graphs] == ["normal", "reduce"]
    assert graphs[0].nodes == ("cell k-2", "cell k-1", "0", "1", "output")
    assert set(graphs[0].edges) == {
        (0, 2, "sep_conv_3x3"),
        (1, 2, "skip_connect"),
        (2, 3, "dil_conv_5x5"),
        (0, 3, "max_pool_3x3"),
    }
    assert graphs[0].joined == (2, 3)


def test_decisions_of_another_space_have_no_graph():
    assert cell_graphs({"stage_0": ("conv3",), "edge_1_from_0": ("skip",)}) == []
    assert cell_graphs({"node_0": ("conv3",)}) == []
    assert cell_graphs({}) == []


def test_operations_have_kinds():
    names = ["nor_conv_3x3", "avg_pool_3x3", "skip_connect", "none", "attention"]
    assert [kind_of(name) for name in names] == ["convolution", "pooling", "skip", "none", "other"]
