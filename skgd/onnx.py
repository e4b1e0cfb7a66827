"""Fitted models as ONNX graphs, by way of skl2onnx."""

import numpy as np

from ._estimators import GDClassifier, GDRegressor
from .losses import LogLoss, ModifiedHuber, resolve_loss

__all__ = ["register"]


def register():
    """Teach skl2onnx to convert `GDClassifier` and `GDRegressor`, alone and in pipelines.

    A classifier has two outputs. The first is the label. The second are probabilities of shape
    (n_rows, n_classes) where the loss gives them (a list of dicts unless ``zipmap=False``, as for
    scikit-learn's own), else, and with ``raw_scores=True``, the values of ``decision_function``, of
    shape (n_rows, 1) for two classes and (n_rows, n_classes) beyond, an array whatever ``zipmap``
    says. A regressor has one output, of
    shape (n_rows, n_targets). Numbers are float32 for inputs of that type, float64 for
    ``DoubleTensorType``, which onnxruntime takes with ``zipmap=False`` alone.

    Raises
    ------
    ImportError
        If skl2onnx is not installed: it is the extra ``skgd[onnx]``.

    Notes
    -----
    Converting raises a NotImplementedError for a loss of your own that gives probabilities or has
    an inverse link: no graph is known for it. skl2onnx has a converter for linear classifiers,
    which is wrong for these estimators: with two classes its probabilities are those of twice the
    decision value.

    Examples
    --------
    >>> import skgd.onnx
    >>> skgd.onnx.register()  # doctest: +SKIP
    >>> from skl2onnx import to_onnx  # doctest: +SKIP
    >>> graph = to_onnx(est, X[:1], options={"zipmap": False})  # doctest: +SKIP
    """
    try:
        import skl2onnx
        from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes
    except ImportError as error:
        raise ImportError(
            "skgd.onnx converts with skl2onnx, which is not installed: pip install 'skgd[onnx]'."
        ) from error
    skl2onnx.update_registered_converter(
        GDClassifier,
        "SkgdGDClassifier",
        _classifier_shapes,
        _convert_classifier,
        options={
            "zipmap": [True, False, "columns"],
            "output_class_labels": [False, True],
            "raw_scores": [True, False],
            "nocl": [True, False],
        },
        parser=_parse_classifier,
    )
    skl2onnx.update_registered_converter(
        GDRegressor,
        "SkgdGDRegressor",
        calculate_linear_regressor_output_shapes,
        _convert_regressor,
    )


def _gives_scores(model, options):
    return options.get("raw_scores", False) or not hasattr(model, "predict_proba")


def _parse_classifier(scope, model, inputs, custom_parsers=None):
    from skl2onnx import _parse
    from skl2onnx.common.utils_classifier import get_label_classes

    options = scope.get_options(model, {"zipmap": True, "raw_scores": False})
    if not _gives_scores(model, options):
        return _parse._parse_sklearn_classifier(scope, model, inputs, custom_parsers)
    from skl2onnx.common.data_types import Int64TensorType, StringTensorType, guess_tensor_type

    if options.get("output_class_labels", False):
        raise NotImplementedError(
            "output_class_labels=True goes with probabilities; this graph gives decision values."
        )
    operator = scope.declare_local_operator("SkgdGDClassifier", model)
    operator.inputs = inputs
    text = all(isinstance(label, str) for label in get_label_classes(scope, model))
    for name, kind in (
        ("label", StringTensorType() if text else Int64TensorType()),
        ("scores", guess_tensor_type(inputs[0].type)),
    ):
        operator.outputs.append(scope.declare_local_variable(name, kind))
    return operator.outputs


def _classifier_shapes(operator):
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    model = operator.raw_operator
    calculate_linear_classifier_output_shapes(operator)
    if _gives_scores(model, operator.scope_inst.get_options(model, {"raw_scores": False})):
        n_rows = operator.inputs[0].get_first_dimension()
        operator.outputs[1].type.shape = [n_rows, len(np.ravel(model.intercept_))]


class _Graph:
    """Nodes for linear predictors, in the number type and the opset that are asked for."""

    def __init__(self, scope, operator, container):
        from skl2onnx.algebra import onnx_ops
        from skl2onnx.common.data_types import DoubleTensorType, guess_proto_type

        self.ops, self.version = onnx_ops, container.target_opset
        self.scope, self.container, self.operator = scope, container, operator
        found = operator.inputs[0]
        double = isinstance(found.type, DoubleTensorType)
        self.dtype, self.kind = (np.float64, 11) if double else (np.float32, 1)
        model = operator.raw_operator
        coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
        coef, intercept = np.atleast_2d(coef), np.ravel(model.intercept_)
        rows = found
        if guess_proto_type(found.type) != self.kind:  # whole numbers, booleans
            rows = self.node("Cast", found, to=self.kind)
        product = self.node("MatMul", rows, self.number(coef.T))
        self.eta = self.node("Add", product, self.number(intercept[None]))

    def node(self, kind, *inputs, **attributes):
        """Return a node of the graph."""
        make = getattr(self.ops, f"Onnx{kind}")
        return make(*inputs, op_version=self.version, **attributes)

    def number(self, value):
        """Return a constant of the graph's type."""
        return np.asarray(value, dtype=self.dtype)

    def end(self, node, k):
        """Make a node the k-th output."""
        last = self.node("Identity", node, output_names=[self.operator.outputs[k].full_name])
        last.add_to(self.scope, self.container)


def _convert_classifier(scope, operator, container):
    from skl2onnx.common.utils_classifier import get_label_classes

    model, graph = operator.raw_operator, _Graph(scope, operator, container)
    node, number, eta = graph.node, graph.number, graph.eta
    binary = len(model.classes_) == 2
    if binary:
        above = node("Greater", eta, number([[0.0]]))
        place = node("Reshape", node("Cast", above, to=7), np.array([-1], dtype=np.int64))
    else:
        place = node("ArgMax", eta, axis=1, keepdims=0)
    classes = np.asarray(get_label_classes(scope, model))  # numbers from 0 with nocl=True
    graph.end(node("Gather", _labels(classes), place), 0)
    if _gives_scores(model, scope.get_options(model, {"raw_scores": False})):
        graph.end(eta, 1)
        return
    loss = resolve_loss(model.loss, "classification", model.epsilon)
    if type(loss) is LogLoss:
        if binary:
            both = node("Concat", node("Neg", eta), eta, axis=1)
            graph.end(node("Sigmoid", both), 1)
        else:
            graph.end(node("Softmax", eta, axis=1), 1)
    elif type(loss) is ModifiedHuber:
        half = node("Mul", node("Add", eta, number([[1.0]])), number([[0.5]]))
        p = node("Clip", half, number(0.0), number(1.0))
        if binary:
            graph.end(node("Concat", node("Sub", number([[1.0]]), p), p, axis=1), 1)
        else:
            # Where no class has a share, all have the same.
            ones = number(np.ones((len(model.classes_), 1)))
            none = node("Equal", node("MatMul", p, ones), number([[0.0]]))
            p = node("Add", p, node("Cast", none, to=graph.kind))
            graph.end(node("Div", p, node("MatMul", p, ones)), 1)
    else:
        raise NotImplementedError(
            f"There is no ONNX graph for the probabilities of {loss!r}. Convert with "
            "options={'raw_scores': True} for decision values."
        )


def _labels(classes):
    """Return labels as a constant: text, or whole numbers."""
    if classes.dtype.kind in "OUS":
        return np.array([str(label) for label in classes], dtype=object)
    found = classes.astype(np.int64)
    if not np.array_equal(found, classes):
        raise NotImplementedError(
            f"ONNX has text or whole numbers as labels; these are {classes.tolist()[:10]}."
        )
    return found


def _convert_regressor(scope, operator, container):
    model, graph = operator.raw_operator, _Graph(scope, operator, container)
    loss = resolve_loss(model.loss, "regression", model.epsilon)
    eta = np.array([-1.5, 0.0, 2.0])
    shown = loss.inverse_link(eta, np)
    if np.array_equal(shown, eta):
        graph.end(graph.eta, 0)
    elif np.array_equal(shown, np.exp(eta)):
        graph.end(graph.node("Exp", graph.eta), 0)
    else:
        raise NotImplementedError(f"There is no ONNX graph for the inverse link of {loss!r}.")
